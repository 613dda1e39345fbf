"""One request per device. A provider token that Apple calls expired is signed anew, once."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import PushParcel, TooLarge, fitted
from tidings.push.providers.apns import reasons
from tidings.push.providers.apns.environment import Environment
from tidings.push.providers.apns.message import MAX_PAYLOAD_BYTES, headers, looks_like_token, payload
from tidings.push.providers.apns.signing import ProviderTokens, SigningProblem
from tidings.push.providers.apns.transport import Transport
from tidings.push.providers.calling import Reply, retry_after
from tidings.push.providers.configs import ApnsConfig
from tidings.push.providers.outfit import PushOutfit

_SERVERS = {
    "production": "https://api.push.apple.com",
    "development": "https://api.sandbox.push.apple.com",
}


class ApnsProvider:
    """Apple's devices, without Firebase between."""

    idempotent = False

    def __init__(self, name: str, config: ApnsConfig, _outfit: PushOutfit) -> None:
        self.name = name
        self._topic = config.topic
        self._configured = f"environment `{config.environment}`, topic `{config.topic}`"
        self._tokens = ProviderTokens(Path(config.key_file), key_id=config.key_id, team_id=config.team_id)
        url = config.url or _SERVERS[config.environment]
        self._transport = Transport(name, url, config.seconds)
        self._environment = Environment()

    def takes(self, target: PushToken) -> bool:
        """Whether it is a device token of Apple's."""
        return target.provider == "apns"

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        device = parcel.target.token
        if not looks_like_token(device):
            words = "This cannot be a device token: it is not hexadecimal"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, dead=True)
        try:
            body = fitted(parcel, payload, MAX_PAYLOAD_BYTES)
            token = self._tokens.token()
        except TooLarge as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error))
        except SigningProblem as error:
            return Refused(self.name, ErrorOwner.CREDENTIAL, str(error))
        sent = headers(parcel, self._topic)
        await before_body()
        reply = await self._post(device, body, sent, token)
        if _calls_expired(reply) and self._tokens.dispute(token):
            reply = await self._post(device, body, sent, self._tokens.token())
        return reply if isinstance(reply, Refused) else self._answer(parcel.target, reply)

    async def ping(self) -> None:
        """Raise unless there is a key to sign with: Apple has nothing to ask that is no push."""
        self._tokens.token()

    async def close(self) -> None:
        """Close the connections to Apple."""
        await self._transport.close()

    async def _post(self, device: str, body: bytes, sent: Mapping[str, str], token: str) -> Reply | Refused:
        signed = {**sent, "authorization": f"bearer {token}"}
        return await self._transport.post(f"/3/device/{device}", body=body, headers=signed)

    def _answer(self, target: PushToken, reply: Reply) -> Answer:
        if reply.status == HTTPStatus.OK:
            self._environment.saw_known()
            ref = reply.headers.get("apns-id")
            return Taken(provider=self.name, provider_ref=ref, detail="HTTP 200", at=now())
        said = reasons.read(reply)
        if said.reason in reasons.UNKNOWN_TOKEN:
            return self._unknown(reply)
        if said.reason in reasons.UNUSED_TOKEN or reply.status == HTTPStatus.GONE:
            self._environment.saw_known()
            return self._unused(target, reply, said)
        return Refused(
            self.name,
            reasons.owner(reply, said.reason),
            reply.words,
            retry_after=retry_after(reply.headers),
            provider_wide=said.reason not in reasons.ONE_DEVICE,
        )

    def _unknown(self, reply: Reply) -> Refused:
        self._environment.saw_bad()
        if self._environment.suspect:
            words = f"{reply.words}: and so for every device of late; {self._configured} may not be the app's"
            return Refused(self.name, ErrorOwner.CREDENTIAL, words)
        dead = self._environment.proven
        return Refused(self.name, ErrorOwner.RECIPIENT, reply.words, dead=dead)

    def _unused(self, target: PushToken, reply: Reply, said: reasons.Said) -> Refused:
        # The app may have been installed again since, and have registered the same token.
        seen = target.last_seen or target.created_at
        dead = said.last_known is None or said.last_known >= seen
        return Refused(self.name, ErrorOwner.RECIPIENT, reply.words, dead=dead)


def _calls_expired(reply: Reply | Refused) -> bool:
    return isinstance(reply, Reply) and reasons.read(reply).reason == reasons.EXPIRED_TOKEN

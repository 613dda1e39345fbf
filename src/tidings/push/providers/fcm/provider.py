"""One request per device. A refused access token is renewed once before it counts as a problem."""

from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec
import structlog

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import PushParcel, TooLarge, fitted
from tidings.push.providers.calling import Reply, post
from tidings.push.providers.configs import FcmConfig
from tidings.push.providers.fcm.access_token import AccessTokens, CredentialProblem
from tidings.push.providers.fcm.errors import refusal
from tidings.push.providers.fcm.message import (
    MAX_PAYLOAD_BYTES,
    looks_like_token,
    payload_bytes,
    send_request,
)
from tidings.push.providers.outfit import PushOutfit

log = structlog.get_logger(__name__)


class _Sent(msgspec.Struct):
    name: str


class FcmProvider:
    """Devices with the Firebase SDK: Android, Apple's, and browsers."""

    idempotent = False

    def __init__(self, name: str, config: FcmConfig, outfit: PushOutfit) -> None:
        self.name = name
        self._tokens = AccessTokens(Path(config.credentials_file), outfit.session)
        self._session = outfit.session
        self._url = config.url.rstrip("/")
        self._seconds = config.seconds

    def takes(self, target: PushToken) -> bool:
        """Whether it is a registration token."""
        return target.provider == "fcm"

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        if not looks_like_token(parcel.target.token):
            words = "This cannot be a registration token: it is empty, too long, or has spaces in it"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, dead=True)
        try:
            body = fitted(parcel, send_request, MAX_PAYLOAD_BYTES, payload_bytes)
        except TooLarge as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error))
        token = await self._token()
        if isinstance(token, Refused):
            return token
        await before_body()
        answer = await self._post(token, body)
        if isinstance(answer, Refused) and answer.owner is ErrorOwner.CREDENTIAL and answer.provider_wide:
            self._tokens.forget(token)
            token = await self._token()
            answer = token if isinstance(token, Refused) else await self._post(token, body)
        return answer

    def look_for_key(self) -> None:
        """Say in the log if the key is not there yet: the service starts all the same."""
        try:
            self._tokens.account()
        except CredentialProblem as error:
            log.warning("fcm_waits_for_its_key", provider=self.name, detail=str(error))

    async def ping(self) -> None:
        """Raise unless Google gives us an access token."""
        await self._tokens.token()

    async def close(self) -> None:
        """Nothing of its own: the session belongs to the service."""

    async def _token(self) -> str | Refused:
        try:
            return await self._tokens.token()
        except CredentialProblem as error:
            return Refused(self.name, ErrorOwner.CREDENTIAL, str(error), retry_after=error.look_again)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Refused(self.name, ErrorOwner.OUTAGE, f"The token endpoint does not answer: {error!r}")

    async def _post(self, token: str, body: bytes) -> Answer:
        url = f"{self._url}/v1/projects/{self._tokens.account().project_id}/messages:send"
        headers = {"Authorization": f"Bearer {token}"}
        reply = await post(self.name, self._session, url, body=body, headers=headers, seconds=self._seconds)
        if isinstance(reply, Refused):
            return reply
        return self._taken(reply) if reply.status == HTTPStatus.OK else refusal(self.name, reply)

    def _taken(self, reply: Reply) -> Answer:
        try:
            name = msgspec.json.decode(reply.body, type=_Sent).name
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Refused(self.name, ErrorOwner.AMBIGUOUS, f"The answer cannot be read: {reply.words}")
        return Taken(provider=self.name, provider_ref=name, detail="HTTP 200", at=now())

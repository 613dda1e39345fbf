"""One encrypted request per browser, to whatever push service its subscription names.

No refusal here speaks for Web Push as a whole: the next subscription is another push service's, and
anybody may register one that always answers 403.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.kit.outbound import Fetched, ForbiddenAddress, TooLarge, Unreachable
from tidings.kit.settings import SettingsError
from tidings.push import parcel as push
from tidings.push.keys import read_private_key
from tidings.push.parcel import PushParcel
from tidings.push.providers.calling import owner_of, retry_after
from tidings.push.providers.configs import WebPushConfig
from tidings.push.providers.outfit import PushOutfit
from tidings.push.providers.webpush.encryption import MAX_PLAINTEXT_BYTES, Receiver, encrypt, read_receiver
from tidings.push.providers.webpush.payload import MAX_TTL_SECONDS, payload, topic
from tidings.push.providers.webpush.vapid import Vapid

MAX_REPLY_BYTES = 16 * 1024
MAX_RECEIVERS = 10_000
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class WebPushProvider:
    """Browsers. The endpoint of a subscription is its token."""

    idempotent = False

    def __init__(self, name: str, config: WebPushConfig, outfit: PushOutfit) -> None:
        self.name = name
        self._vapid = Vapid(private_key(name, config), config.subject)
        self._payload = partial(payload, report_url=outfit.report_url)
        self._outbound = outfit.outbound
        self._seconds = config.seconds
        # Devices are sent to again and again, and reading their keys is a tenth of the cost of a message.
        self._receivers = lru_cache(MAX_RECEIVERS)(read_receiver)

    def takes(self, target: PushToken) -> bool:
        """Whether it is a browser's subscription."""
        return target.provider == "webpush"

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        try:
            receiver = self._receiver(parcel.target)
            headers = self._headers(parcel)
        except (ValueError, KeyError, TypeError) as error:
            words = f"The subscription cannot be used: {error!r}"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, dead=True, provider_wide=False)
        try:
            plaintext = push.fitted(parcel, self._payload, MAX_PLAINTEXT_BYTES)
        except push.TooLarge as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error), provider_wide=False)
        body = encrypt(plaintext, receiver)
        await before_body()
        return await self._post(parcel.target.token, headers, body)

    async def ping(self) -> None:
        """There is no one place to ask: each subscription has its own push service."""

    async def close(self) -> None:
        """Nothing of its own: the connections belong to the service."""

    def _receiver(self, target: PushToken) -> Receiver:
        keys = (target.subscription or {})["keys"]
        return self._receivers(keys["p256dh"], keys["auth"])

    def _headers(self, parcel: PushParcel) -> Mapping[str, str]:
        left = push.seconds_left(parcel, MAX_TTL_SECONDS)
        return {
            "Authorization": self._vapid.header(parcel.target.token),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(MAX_TTL_SECONDS if left is None else left),
            "Urgency": push.urgency(parcel),
            "Topic": topic(parcel),
        }

    async def _post(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            reply = await self._outbound.request(
                "POST",
                endpoint,
                headers=headers,
                body=body,
                limit_bytes=MAX_REPLY_BYTES,
                seconds=self._seconds,
            )
        except ForbiddenAddress as error:
            words = f"The subscription's endpoint may not be asked: {error}"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, provider_wide=False)
        except (Unreachable, TooLarge) as error:
            unsent = isinstance(error.__cause__, aiohttp.ClientConnectorError)
            owner = ErrorOwner.OUTAGE if unsent else ErrorOwner.AMBIGUOUS
            return Refused(self.name, owner, str(error), provider_wide=False)
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            ref = reply.headers.get("Location")
            return Taken(provider=self.name, provider_ref=ref, detail=f"HTTP {reply.status}", at=now())
        return self._refused(reply)

    def _refused(self, reply: Fetched) -> Refused:
        gone = reply.status in _GONE
        words = f"HTTP {reply.status} {reply.body[:300].decode(errors='replace')}".rstrip()
        return Refused(
            self.name,
            ErrorOwner.RECIPIENT if gone else owner_of(reply.status),
            words,
            retry_after=retry_after(reply.headers),
            dead=gone,
            provider_wide=False,
        )


def private_key(name: str, config: WebPushConfig) -> EllipticCurvePrivateKey:
    """The VAPID key of the provider `name`.

    Raises:
        SettingsError: there is none, or it cannot be used.
    """
    if (config.private_key is None) == (config.private_key_file is None):
        raise SettingsError(
            f"The push provider `{name}` needs either `private_key` or `private_key_file`; "
            "`tidings push keys` makes a key"
        )
    try:
        return read_private_key(config.private_key or Path(config.private_key_file or "").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The VAPID key of the push provider `{name}` cannot be used: {error}") from error

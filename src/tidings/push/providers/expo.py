"""Expo's push service, for apps with React Native.

Source: https://docs.expo.dev/push-notifications/sending-notifications/
"""

import re
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import PushParcel, TooLarge, app_data, fitted, present, seconds_left, urgency
from tidings.push.providers.calling import Reply, owner_of, post, retry_after
from tidings.push.providers.configs import ExpoConfig
from tidings.push.providers.outfit import PushOutfit

MAX_TTL_SECONDS = 28 * 24 * 3600
MAX_PAYLOAD_BYTES = 4096

_TOKEN = re.compile(
    r"Expo(nent)?PushToken\[[!-Z^-~]{1,200}\]|[0-9a-z]{8}(-[0-9a-z]{4}){3}-[0-9a-z]{12}", re.IGNORECASE
)
_PRIORITY = {"high": "high", "low": "normal", "very-low": "normal"}
_LEVEL = {"high": "time-sensitive", "low": "passive", "very-low": "passive"}
_BY_ERROR = {
    "DeviceNotRegistered": ErrorOwner.RECIPIENT,
    "MessageTooBig": ErrorOwner.CONTENT,
    "MessageRateExceeded": ErrorOwner.THROTTLE,
    "MismatchSenderId": ErrorOwner.CREDENTIAL,
    "InvalidCredentials": ErrorOwner.CREDENTIAL,
    "ExpoError": ErrorOwner.OUTAGE,
    "ProviderError": ErrorOwner.OUTAGE,
}
_BY_CODE = {
    "TOO_MANY_REQUESTS": ErrorOwner.THROTTLE,
    "UNAUTHORIZED": ErrorOwner.CREDENTIAL,
}


class ExpoProvider:
    """Devices with an Expo push token."""

    idempotent = False

    def __init__(self, name: str, config: ExpoConfig, outfit: PushOutfit) -> None:
        self.name = name
        self._session = outfit.session
        self._url = f"{config.url.rstrip('/')}/--/api/v2/push/send"
        token = config.access_token
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._seconds = config.seconds

    def takes(self, target: PushToken) -> bool:
        """Whether it is an Expo push token."""
        return target.provider == "expo"

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        if not _TOKEN.fullmatch(parcel.target.token):
            words = "This cannot be an Expo push token, which is as ExponentPushToken[...]"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, dead=True)
        try:
            body = fitted(parcel, _request, MAX_PAYLOAD_BYTES)
        except TooLarge as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error))
        await before_body()
        reply = await post(
            self.name, self._session, self._url, body=body, headers=self._headers, seconds=self._seconds
        )
        return reply if isinstance(reply, Refused) else self._answer(reply)

    async def ping(self) -> None:
        """Raise unless Expo answers at all."""
        async with self._session.get(self._url, timeout=aiohttp.ClientTimeout(total=5)):
            pass

    async def close(self) -> None:
        """Nothing of its own: the session belongs to the service."""

    def _answer(self, reply: Reply) -> Answer:
        said = _read(reply)
        if reply.status != HTTPStatus.OK or (said is not None and said.errors):
            return self._refused_request(reply, said or _Said())
        ticket = said.data if said is not None else None
        if ticket is None or ticket.status not in {"ok", "error"}:
            return Refused(self.name, ErrorOwner.AMBIGUOUS, f"The answer cannot be read: {reply.words}")
        if ticket.status == "ok":
            return Taken(provider=self.name, provider_ref=ticket.id, detail="HTTP 200", at=now())
        error = ticket.details.error
        words = f"{error}: {ticket.message}"
        owner = _BY_ERROR.get(error, ErrorOwner.CONTENT)
        # Expo forbids to send on to one device too fast; a project's limit answers the whole request.
        return Refused(
            self.name,
            owner,
            words,
            dead=owner is ErrorOwner.RECIPIENT,
            provider_wide=error not in {"MessageRateExceeded", "MismatchSenderId"},
        )

    def _refused_request(self, reply: Reply, said: "_Said") -> Refused:
        code = said.errors[0].code if said.errors else ""
        owner = _BY_CODE.get(code) or (
            ErrorOwner.CONTENT if reply.status == HTTPStatus.OK else owner_of(reply.status)
        )
        return Refused(self.name, owner, reply.words, retry_after=retry_after(reply.headers))


class _Details(msgspec.Struct):
    error: str = ""


class _Ticket(msgspec.Struct):
    status: str = ""
    id: str | None = None
    message: str = ""
    details: _Details = msgspec.field(default_factory=_Details)


class _RequestError(msgspec.Struct):
    code: str = ""


class _Said(msgspec.Struct):
    data: _Ticket | None = None
    errors: list[_RequestError] = []


def _request(parcel: PushParcel) -> bytes:
    content, manner = parcel.content, parcel.content.manner
    fields: dict[str, Any] = {
        "to": parcel.target.token,
        "data": app_data(parcel),
        # Without one, Apple's devices that are offline would get nothing: Expo's default there is 0.
        "ttl": _time_to_live(parcel),
        "priority": _PRIORITY.get(urgency(parcel)),
    }
    if manner.silent:
        return msgspec.json.encode(present({**fields, "_contentAvailable": True}))
    shown = {
        "title": content.title,
        "body": content.body,
        "sound": manner.sound,
        "badge": content.badge,
        "interruptionLevel": _LEVEL.get(urgency(parcel)),
        "richContent": {"image": content.image} if content.image else None,
        "mutableContent": True if content.image else None,
    }
    return msgspec.json.encode(present({**fields, **shown}))


def _time_to_live(parcel: PushParcel) -> int:
    left = seconds_left(parcel, MAX_TTL_SECONDS)
    return MAX_TTL_SECONDS if left is None else left


def _read(reply: Reply) -> _Said | None:
    try:
        return msgspec.json.decode(reply.body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

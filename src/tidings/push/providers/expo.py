"""Expo's push service, for apps with React Native.

A ticket says that Expo took a push; what Apple or Google said to it stands in its receipt (`expo_receipts`).
Source: https://docs.expo.dev/push-notifications/sending-notifications/
"""

import re
from http import HTTPStatus
from typing import Any, TypeVar

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
        self._headers = headers_of(config)
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
        refused = refused_request(self.name, reply)
        if refused is not None:
            return refused
        said = read(reply, _Said)
        ticket = said.data if said is not None else None
        if ticket is None or ticket.status not in {"ok", "error"}:
            return Refused(self.name, ErrorOwner.AMBIGUOUS, f"The answer cannot be read: {reply.words}")
        if ticket.status == "ok":
            return Taken(provider=self.name, provider_ref=ticket.id, detail="HTTP 200", at=now())
        return refused_push(self.name, ticket)


class Verdict(msgspec.Struct):
    """What a ticket or a receipt says of one push: `ok`, or `error` with its word in the details."""

    status: str = ""
    id: str | None = None
    message: str = ""
    details: dict[str, Any] | None = None


def refused_push(name: str, verdict: Verdict) -> Refused:
    """Who has to act on the error of a ticket or a receipt."""
    error = str((verdict.details or {}).get("error", ""))
    owner = _BY_ERROR.get(error, ErrorOwner.CONTENT)
    # Expo forbids to send on to one device too fast; a project's limit answers the whole request.
    return Refused(
        name,
        owner,
        f"{error}: {verdict.message}",
        dead=owner is ErrorOwner.RECIPIENT,
        provider_wide=error not in {"MessageRateExceeded", "MismatchSenderId"},
    )


def refused_request(name: str, reply: Reply) -> Refused | None:
    """Who has to act where Expo refused the whole request; None where it did not."""
    said = read(reply, _Errors)
    errors = said.errors if said is not None else []
    if reply.status == HTTPStatus.OK and not errors:
        return None
    code = errors[0].code if errors else ""
    owner = _BY_CODE.get(code) or (
        ErrorOwner.CONTENT if reply.status == HTTPStatus.OK else owner_of(reply.status)
    )
    return Refused(name, owner, reply.words, retry_after=retry_after(reply.headers))


def headers_of(config: ExpoConfig) -> dict[str, str]:
    """What shows Expo the access token, where there is one."""
    return {"Authorization": f"Bearer {config.access_token}"} if config.access_token else {}


class _RequestError(msgspec.Struct):
    code: str = ""


class _Errors(msgspec.Struct):
    errors: list[_RequestError] = []


class _Said(msgspec.Struct):
    data: Verdict | None = None


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


T = TypeVar("T")


def read(reply: Reply, kind: type[T]) -> T | None:
    """The body as JSON of this kind; None where it is something else."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

"""OneSignal, for apps with its SDK. Devices are named by their subscription id.

Source: https://documentation.onesignal.com/reference/create-message
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid5

import aiohttp
import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import (
    PushParcel,
    TooLarge,
    app_data,
    fitted,
    header_tag,
    present,
    seconds_left,
    urgency,
)
from tidings.push.providers.calling import Reply, post, refusal
from tidings.push.providers.configs import OneSignalConfig
from tidings.push.providers.outfit import PushOutfit

MAX_TTL_SECONDS = 28 * 24 * 3600
MAX_PAYLOAD_BYTES = 4096
"""What Apple and Google take, to whom it goes on."""

_PRIORITY = {"high": 10, "low": 5, "very-low": 5}


class OneSignalProvider:
    """Every platform behind one API. A repeated request is recognised by its key for 30 days."""

    idempotent = True

    def __init__(self, name: str, config: OneSignalConfig, outfit: PushOutfit) -> None:
        self.name = name
        self._session = outfit.session
        self._app_id = config.app_id
        self._url = f"{config.url.rstrip('/')}/notifications"
        self._headers = {"Authorization": f"Key {config.api_key}"}
        self._seconds = config.seconds

    def takes(self, target: PushToken) -> bool:
        """Whether it is a subscription of OneSignal's."""
        return target.provider == "onesignal"

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        if not _is_uuid(parcel.target.token):
            words = "This cannot be a subscription id: it is no UUID"
            return Refused(self.name, ErrorOwner.RECIPIENT, words, dead=True)
        try:
            words_and_data = msgspec.Raw(fitted(parcel, _content, MAX_PAYLOAD_BYTES))
        except TooLarge as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error))
        body = _request(self._app_id, parcel, words_and_data)
        await before_body()
        reply = await post(
            self.name, self._session, self._url, body=body, headers=self._headers, seconds=self._seconds
        )
        return reply if isinstance(reply, Refused) else self._answer(parcel.target.token, reply)

    async def ping(self) -> None:
        """Raise unless OneSignal answers at all."""
        async with self._session.get(self._url, timeout=aiohttp.ClientTimeout(total=5)):
            pass

    async def close(self) -> None:
        """Nothing of its own: the session belongs to the service."""

    def _answer(self, token: str, reply: Reply) -> Answer:
        said = _read(reply)
        if said is not None and _names_invalid(said.errors, token):
            return Refused(self.name, ErrorOwner.RECIPIENT, reply.words, dead=True)
        if reply.status != HTTPStatus.OK:
            return self._refused(reply)
        if said is None:
            return Refused(self.name, ErrorOwner.AMBIGUOUS, f"The answer cannot be read: {reply.words}")
        if not said.id:
            # The person may switch notifications on again, and has the same subscription then.
            return Refused(self.name, ErrorOwner.RECIPIENT, f"Nothing was sent: {reply.words}")
        return Taken(provider=self.name, provider_ref=said.id, detail="HTTP 200", at=now())

    def _refused(self, reply: Reply) -> Refused:
        if reply.status == HTTPStatus.CONFLICT:
            return Refused(self.name, ErrorOwner.AMBIGUOUS, reply.words)  # the first request is under way
        if reply.status == HTTPStatus.BAD_REQUEST and b"app_id" in reply.body:
            return Refused(self.name, ErrorOwner.CREDENTIAL, reply.words)
        return refusal(self.name, reply)


class _Said(msgspec.Struct):
    id: str | None = None
    errors: Any = None


def _request(app_id: str, parcel: PushParcel, content: msgspec.Raw) -> bytes:
    envelope = {
        "app_id": app_id,
        "include_subscription_ids": [parcel.target.token],
        "target_channel": "push",
        "idempotency_key": str(uuid5(parcel.message.notification_id, parcel.target.token)),
        "ttl": seconds_left(parcel, MAX_TTL_SECONDS),
        "priority": _PRIORITY.get(urgency(parcel)),
        "collapse_id": header_tag(parcel),
    }
    # Two JSON objects become one: the content was measured as it is.
    return msgspec.json.encode(present(envelope))[:-1] + b"," + bytes(content)[1:]


def _content(parcel: PushParcel) -> bytes:
    """What goes on to the device. OneSignal wants every text in English, whatever language it is in."""
    content, manner = parcel.content, parcel.content.manner
    if manner.silent:
        return msgspec.json.encode({"content_available": True, "data": app_data(parcel)})
    # A push of a title alone: contents are what cannot be left out.
    title, body = (content.title, content.body) if content.body else (None, content.title)
    buttons = [{"id": action.id, "text": action.title} for action in content.actions]
    fields = {
        "headings": {"en": title} if title else None,
        "contents": {"en": body},
        "data": app_data(parcel),
        "url": content.link,
        "big_picture": content.image,
        "chrome_web_image": content.image,
        "ios_attachments": {"image": content.image} if content.image else None,
        "ios_badgeType": None if content.badge is None else "SetTo",
        "ios_badgeCount": content.badge,
        "ios_sound": manner.sound,
        "buttons": buttons,
    }
    return msgspec.json.encode(present(fields))


def _read(reply: Reply) -> _Said | None:
    try:
        return msgspec.json.decode(reply.body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _names_invalid(errors: Any, token: str) -> bool:  # noqa: ANN401 - it has four shapes
    """Whether `errors` lists this subscription as invalid.

    It is a list of sentences, a list of objects, an object of lists (`invalid_player_ids`), or one of
    objects of lists (`invalid_aliases`).
    """
    if not isinstance(errors, dict):
        return False
    lists = [value for name, value in errors.items() if str(name).startswith("invalid_")]
    lists += [inner for value in lists if isinstance(value, dict) for inner in value.values()]
    return any(isinstance(value, list) and token in value for value in lists)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

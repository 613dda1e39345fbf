"""The request as Apple wants it (docs/push.md has the table).

Source: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid5

import msgspec

from tidings.push.parcel import PushParcel, app_data, header_tag, present, urgency

MAX_PAYLOAD_BYTES = 4096

_TOKEN = re.compile(r"([0-9a-fA-F]{2}){16,200}")
_INTERRUPTION = {"very-low": "passive", "low": "passive", "high": "time-sensitive"}
_NOW = "10"
_WHEN_CONVENIENT = "5"


def looks_like_token(text: str) -> bool:
    """Whether it can be a device token: hexadecimal, of a length that Apple leaves open."""
    return _TOKEN.fullmatch(text) is not None


def payload(parcel: PushParcel) -> bytes:
    """The JSON. Apple keeps `aps` for itself, so a value of that name in the template's data is dropped."""
    return msgspec.json.encode({**app_data(parcel), **_image(parcel), "aps": _aps(parcel)})


def headers(parcel: PushParcel, topic: str) -> Mapping[str, str]:
    """The request's headers, without the provider token.

    The id follows from notification and device, so that Apple's logs and ours can be compared.
    """
    silent, expires_at = parcel.content.manner.silent, parcel.message.expires_at
    calm = silent or urgency(parcel) in {"low", "very-low"}
    fields = {
        "apns-id": str(uuid5(parcel.message.notification_id, parcel.target.token)),
        "apns-topic": topic,
        "apns-push-type": "background" if silent else "alert",
        "apns-priority": _WHEN_CONVENIENT if calm else _NOW,
        "apns-expiration": None if expires_at is None else str(int(expires_at.timestamp())),
        "apns-collapse-id": header_tag(parcel),
    }
    return present(fields)


def _aps(parcel: PushParcel) -> dict[str, Any]:
    content, manner = parcel.content, parcel.content.manner
    if manner.silent:
        return {"content-available": 1}
    return present(
        {
            "alert": present({"title": content.title, "body": content.body}),
            "badge": content.badge,
            "sound": manner.sound,
            "interruption-level": _INTERRUPTION.get(urgency(parcel)),
            # An extension of the app has to fetch the image, and only then is it woken.
            "mutable-content": 1 if content.image else None,
        }
    )


def _image(parcel: PushParcel) -> dict[str, str]:
    return {"image": parcel.content.image} if parcel.content.image else {}

"""What a push notification consists of, whichever provider takes it."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from tidings.contracts.codes import Priority
from tidings.contracts.templates import RenderedPush
from tidings.contracts.users import PushToken
from tidings.delivery.channel import Parcel, Provider
from tidings.kit.ids import now

PushParcel = Parcel[RenderedPush, PushToken]
PushProvider = Provider[RenderedPush, PushToken]
Urgency = Literal["very-low", "low", "normal", "high"]

ELLIPSIS = "…"

_HEADER_TAG = re.compile(r"[!-~]{1,64}")


class TooLarge(Exception):
    """The push is larger than the provider takes, and may not be shortened, or not by enough."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"The push has {size} bytes, and the provider takes {limit}")


def urgency(parcel: PushParcel) -> Urgency:
    """How soon it has to arrive: a critical notification wakes the device, whatever its template says."""
    return "high" if parcel.message.priority is Priority.CRITICAL else parcel.content.manner.urgency


def tag(parcel: PushParcel) -> str:
    """What a later notification has to carry to take this one's place on the device.

    Without a collapse key it is the notification's id: a push that arrives twice is shown once.
    """
    return parcel.content.collapse_key or str(parcel.message.notification_id)


def header_tag(parcel: PushParcel) -> str:
    """The tag where it travels as a header of at most 64 bytes.

    One that is longer, or not all of printable ASCII, is hashed, so that none are mixed up.
    """
    whole = tag(parcel)
    return whole if _HEADER_TAG.fullmatch(whole) else hashlib.sha256(whole.encode()).hexdigest()


def app_data(parcel: PushParcel) -> dict[str, str]:
    """What the app gets beside the words: the template's data, the notification's id, link and buttons."""
    content = parcel.content
    data = {**content.data, "notification_id": str(parcel.message.notification_id)}
    if content.link:
        data["link"] = content.link
    if content.actions:
        data["actions"] = msgspec.json.encode(content.actions).decode()
    return data


def seconds_left(parcel: PushParcel, most: int) -> int | None:
    """What is left of its life, as the provider's time to live; None where it never expires."""
    expires_at = parcel.message.expires_at
    if expires_at is None:
        return None
    return min(max(int((expires_at - now()).total_seconds()), 0), most)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def fitted(
    parcel: PushParcel, build: Callable[[PushParcel], bytes], limit: int, size: Callable[[bytes], int] = len
) -> bytes:
    """What `build` makes of the parcel, with the body cut to fit `limit` bytes where the template allows it.

    Raises:
        TooLarge: it does not fit.
    """
    whole = build(parcel)
    if size(whole) <= limit:
        return whole
    content = parcel.content
    if not content.manner.shorten:
        raise TooLarge(size(whole), limit)

    def cut(characters: int) -> bytes:
        body = content.body[:characters].rstrip() + ELLIPSIS if characters else ""
        return build(_with_body(parcel, body))

    shortest = cut(0)
    if size(shortest) > limit:
        raise TooLarge(size(shortest), limit)
    fits, too_long = 0, len(content.body)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if size(cut(middle)) <= limit else (fits, middle)
    return cut(fits)


def _with_body(parcel: PushParcel, body: str) -> PushParcel:
    content = msgspec.structs.replace(parcel.content, body=body)
    return Parcel(parcel.message, parcel.contact, parcel.target, content, parcel.unsubscribe_url)

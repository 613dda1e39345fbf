"""What every provider's webhook has in common: a request that proves who sent it, read into receipts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from tidings.contracts.messages import Receipt
from tidings.kit.errors import Malformed
from tidings.kit.ids import now

DETAIL_CHARS = 1_000
OLDEST = timedelta(days=3)
"""How old a signature may be. Providers repeat an event for a day at most (SendGrid); whoever replays one
later than the consumer remembers it for is refused here."""
EARLIEST_CLOCK = timedelta(minutes=5)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Posted:
    """A webhook request. The names of `headers` are in lower case; `body` is as it came."""

    headers: Mapping[str, str]
    body: bytes


class Webhook(Protocol):
    """How one provider reports. One file each, and one line in `webhooks.py`."""

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """What the request says; None for each event that is not about an email of ours, or not of use.

        Raises:
            Forged: it is not the provider's, or too old.
            Malformed: it is the provider's, and cannot be read.
            Unavailable: it cannot be verified now.
        """


class Forged(Exception):
    """Nothing proves that the request is the provider's; the words say what is missing."""


def check_age(signed_at: str, oldest: timedelta = OLDEST) -> None:
    """Refuse a signature whose time (seconds since 1970) is too long ago, or ahead of our clock.

    Raises:
        Forged: it is, or it is no time.
    """
    try:
        age = now() - datetime.fromtimestamp(int(signed_at), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Forged("The time of the signature is not a number of seconds") from error
    if not -EARLIEST_CLOCK <= age <= oldest:
        raise Forged(
            f"The signature is {age} old; this service takes none older than {oldest}. "
            "Check the clock of this machine, or send the event again"
        )


def decoded(body: bytes | str, kind: type[T]) -> T:
    """The JSON of a verified request.

    Raises:
        Malformed: it is not what the provider documents.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"The webhook cannot be read: {error}", code="malformed_webhook") from error


def each_of(body: bytes, kind: type[T]) -> list[T | None]:
    """The JSON array of a verified request, with None for each element that is not of this `kind`.

    Raises:
        Malformed: it is no array.
    """
    return [_one_of(raw, kind) for raw in decoded(body, list[msgspec.Raw])]


def moment(seconds: float) -> datetime:
    """A provider's time in seconds since 1970, at most now: clocks differ, and nothing is told early."""
    try:
        return past(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return now()


def past(at: datetime) -> datetime:
    """A provider's time, at most now."""
    return min(at, now())


def words(*parts: str | None) -> str | None:
    """The provider's own words as a timeline can hold them."""
    text = " ".join(part.strip() for part in parts if part).replace("\0", "")
    return text[:DETAIL_CHARS] or None


def _one_of(raw: msgspec.Raw, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

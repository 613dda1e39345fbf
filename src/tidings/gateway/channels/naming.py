"""The channels that a request names, and the ids of the notifications that it becomes."""

from collections.abc import Iterator
from uuid import UUID

from tidings.contracts.codes import Channel, Status
from tidings.contracts.notifications import AcceptedBeside, NewNotification
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.ids import new_id

MOST_OTHERS = 0xF
"""How many notifications an id leaves room for, as the bits that number them."""


def has_others(request: NewNotification) -> bool:
    """Whether a request names more than one channel."""
    return request.also is not None or request.fallback is not None


def channels_of(request: NewNotification) -> Iterator[tuple[Channel, str]]:
    """Each channel of a request, and the field that names it. The first is the request's own."""
    yield request.channel, "$.channel"
    for index, channel in enumerate(request.also or ()):
        yield channel, f"$.also[{index}]"
    if request.fallback is not None:
        yield request.fallback.channel, "$.fallback.channel"


def check_channels(request: NewNotification) -> None:
    """See that no channel is named twice.

    Raises:
        Unprocessable: one is.
    """
    if not has_others(request):
        return
    seen: set[Channel] = set()
    for channel, field in channels_of(request):
        if channel in seen:
            words = f"The channel {channel} is named twice: each gets the notification once"
            raise Unprocessable(
                words, code="repeated_channel", errors=[FieldFault(field=field, message=words)]
            )
        seen.add(channel)


def first_id(request: NewNotification) -> UUID:
    """A new id for a request's first notification, with room for those on other channels after it."""
    fresh = new_id()
    return UUID(int=fresh.int & ~MOST_OTHERS) if has_others(request) else fresh


def sibling_id(first: UUID, number: int) -> UUID:
    """The id of the notification number 1, 2, … beside the first of a request.

    It follows from the first's, so that a repeated request is answered from its key alone. It is greater, so
    whoever locks rows in the order of ids locks a first before its fallback. These bits are random; the
    counter above them, and the rest that is random, tell ids apart.
    """
    return UUID(int=first.int | number)


def others_of(request: NewNotification, first: UUID, status: Status) -> list[AcceptedBeside]:
    """What a request became beside its first notification, which is in `status`."""
    if not has_others(request):
        return []
    others = list(channels_of(request))[1:]
    waiting = len(others) if request.fallback is not None else None
    return [
        AcceptedBeside(
            id=sibling_id(first, number),
            channel=channel,
            status=Status.SCHEDULED if number == waiting else status,
        )
        for number, (channel, _) in enumerate(others, start=1)
    ]

"""Notifications followed live: one, or all that fit."""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from uuid import UUID

import msgspec

from tidings.client.event_stream import ServerEvent, steps_of
from tidings.client.http import Params, RemoteUnavailable, ServiceHttp
from tidings.client.paging import query
from tidings.contracts.codes import Channel, Status
from tidings.contracts.events import NotificationStep

PATIENCE = 60.0
"""For how many seconds in a row a stream may be away."""


class LiveStep(NotificationStep, frozen=True, kw_only=True):
    """A step as it came. Given to `after`, its `event_id` lets another stream go on behind it."""

    event_id: str


def follow_one(
    http: ServiceHttp, notification_id: UUID, *, beyond: bool, after: str | None, patience: float
) -> AsyncGenerator[LiveStep, None]:
    """The steps of one notification, until it is settled, or with `beyond` for ever."""
    path = f"/v1/notifications/{notification_id}/events"
    return _steps(http, path, query(follow=beyond), after, patience)


def follow_all(
    http: ServiceHttp,
    *,
    status: Collection[Status],
    channel: Channel | None,
    user_id: str | None,
    template_id: str | None,
    after: str | None,
    patience: float,
) -> AsyncGenerator[LiveStep, None]:
    """The steps of all notifications that fit, from now on or from the one that follows `after`."""
    params = query(status=status, channel=channel, user_id=user_id, template_id=template_id)
    return _steps(http, "/v1/events", params, after, patience)


async def _steps(
    http: ServiceHttp, path: str, params: Params, after: str | None, patience: float
) -> AsyncGenerator[LiveStep, None]:
    async with aclosing(steps_of(http, path, params=params, after=after, patience=patience)) as events:
        async for event in events:
            yield _step(event)


def _step(event: ServerEvent) -> LiveStep:
    try:
        told = msgspec.json.decode(event.data, type=dict)
        return msgspec.convert({**told, "event_id": event.id}, LiveStep)
    except msgspec.DecodeError as error:
        raise RemoteUnavailable(f"The stream has an event that is no step: {error}") from error

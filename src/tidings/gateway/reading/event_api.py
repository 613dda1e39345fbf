"""Streams of events over HTTP."""

import weakref
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from tidings.contracts.events import NotificationStep
from tidings.gateway import examples
from tidings.gateway.reading.asking import ChannelName, States, Template, User
from tidings.gateway.reading.feed import Feed, Place
from tidings.gateway.reading.step_store import StepStore
from tidings.gateway.reading.streaming import (
    follow_all,
    follow_one,
    life_cursor_of,
    position_in_feed,
    served,
)
from tidings.kit.auth import Principal, requires
from tidings.kit.errors import NotFound
from tidings.kit.problems import refusals

EVENT_STREAM = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect events

Steps = NamedDependency[StepStore]
Events = NamedDependency[Feed]
Caller = Request[Principal, None, State]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", max_length=50, description="go on after the event with this `id`"),
]
Follow = Annotated[bool, QueryParameter(description="also after it is settled: receipts may follow")]

_STEP = (
    'event: step\ndata: {"status":"sent","at":"2026-01-31T12:00:00.240000Z","attempt":1,"reason":null,'
    '"detail":null,"provider":"smtp","provider_ref":null,"next_attempt_at":null,"target":null,'
    f'"notification_id":"{examples.ID}","request_id":"order-17","channel":"email",'
    f'"user_id":"{examples.USER_ID}","template_id":"welcome","sandbox":false}}\n\n'
)


def _shown(stream: str) -> ResponseSpec:
    return ResponseSpec(
        str, description="Server-sent events", media_type=EVENT_STREAM, examples=[Example(value=stream)]
    )


@get(
    "/v1/notifications/{notification_id:str}/events",
    guards=[requires("notifications:read")],
    media_type=EVENT_STREAM,
    tags=["notifications"],
    summary="Follow one notification",
    responses={
        200: _shown(f'id: 57q\n{_STEP}event: settled\ndata: {{"status":"sent"}}\n\n'),
        **refusals(
            {
                400: "`malformed_request` or `bad_last_event_id`",
                404: "`unknown_notification`",
                422: "`invalid_request`",
                503: "`database_unavailable`",
            }
        ),
    },
)
async def follow_notification(
    notification_id: FromPath[str],
    request: Caller,
    steps: Steps,
    feed: Events,
    last_event_id: LastEventId = None,
    *,
    follow: Follow = False,
) -> Stream:
    """Server-sent events: each step that is known, and each that comes, until it is settled."""
    cursor = life_cursor_of(last_event_id)
    known = _as_id(notification_id)
    life = await steps.life(known, after=cursor.number) if known else None
    if known is None or life is None or (request.user.sandbox and not life.accepted.sandbox):
        raise NotFound(f"There is no notification {notification_id}", code="unknown_notification")
    place = feed.take_place(request.user.owner)
    return _stream(follow_one(steps, feed, known, cursor, to_the_end=follow), place)


@get(
    "/v1/events",
    guards=[requires("notifications:read")],
    media_type=EVENT_STREAM,
    tags=["notifications"],
    summary="Follow all notifications, or some",
    responses={
        200: _shown(f"id: 80017-0\nevent: open\ndata: {{}}\n\nid: 80022-57\n{_STEP}"),
        **refusals({400: "`malformed_request` or `bad_last_event_id`", 422: "`invalid_request`"}),
    },
)
async def follow_notifications(
    request: Caller,
    steps: Steps,
    feed: Events,
    last_event_id: LastEventId = None,
    *,
    status: States = None,
    channel: ChannelName = None,
    user_id: User = None,
    template_id: Template = None,
) -> Stream:
    """Server-sent events: each step that is reported from now on and has all that is asked for."""
    position = position_in_feed(last_event_id)
    asked: dict[str, Any] = {"channel": channel, "user_id": user_id, "template_id": template_id}
    given = {name: value for name, value in asked.items() if value is not None}

    def wants(step: NotificationStep) -> bool:
        if (status and step.status not in status) or (request.user.sandbox and not step.sandbox):
            return False
        return all(getattr(step, name) == value for name, value in given.items())

    place = feed.take_place(request.user.owner)
    return _stream(follow_all(steps, feed, wants, position), place)


EVENT_ROUTES: list[ControllerRouterHandler] = [follow_notification, follow_notifications]


def _stream(chunks: AsyncGenerator[bytes, None], place: Place) -> Stream:
    stream = served(chunks, place)
    # A caller may leave before the first event, and then nothing of the stream ever runs.
    weakref.finalize(stream, place.leave)
    return Stream(stream, media_type=EVENT_STREAM, headers=_HEADERS)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

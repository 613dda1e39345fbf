"""How requests name notifications: a filter in the query."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.di import Provide
from litestar.params import QueryParameter

from tidings.contracts.codes import Channel, Reason, Status
from tidings.gateway.reading.filtering import NotificationFilter, between

_TEXT = r"^[^\x00]{1,255}(?!\n)$"

RequestId = Annotated[str | None, QueryParameter(pattern=_TEXT, description="only those of one `request_id`")]
User = Annotated[str | None, QueryParameter(pattern=_TEXT, description="to this person")]
States = Annotated[
    list[Status] | None,
    QueryParameter(max_items=len(Status), description="in this state; repeat it for several"),
]
ChannelName = Annotated[Channel | None, QueryParameter(description="on this channel")]
Template = Annotated[
    str | None, QueryParameter(pattern=r"^[\w.-]{1,100}(?!\n)$", description="of this template")
]
ReasonName = Annotated[Reason | None, QueryParameter(description="in their state for this reason")]
Since = Annotated[datetime | None, QueryParameter(description="accepted then or later, with a UTC offset")]
Until = Annotated[datetime | None, QueryParameter(description="accepted before then, with a UTC offset")]
Sandbox = Annotated[bool | None, QueryParameter(description="only those sent with test keys, or those not")]
Original = Annotated[UUID | None, QueryParameter(description="replays of this notification")]
Group = Annotated[
    UUID | None, QueryParameter(description="of one request on several channels: the `group_id`")
]
Schedule = Annotated[UUID | None, QueryParameter(description="made by this schedule")]


async def filter_in_query(
    *,
    request_id: RequestId = None,
    user_id: User = None,
    status: States = None,
    channel: ChannelName = None,
    template_id: Template = None,
    reason: ReasonName = None,
    since: Since = None,
    until: Until = None,
    sandbox: Sandbox = None,
    replay_of: Original = None,
    schedule_id: Schedule = None,
    group_id: Group = None,
) -> NotificationFilter:
    """The filter that a query asks for.

    Raises:
        Unprocessable: a time has no UTC offset, or no time is between the two.
    """
    since, until = between(since, until)
    return NotificationFilter(
        request_id=request_id,
        user_id=user_id,
        status=status,
        channel=channel,
        template_id=template_id,
        reason=reason,
        since=since,
        until=until,
        sandbox=sandbox,
        replay_of=replay_of,
        schedule_id=schedule_id,
        group_id=group_id,
    )


BY_QUERY = {"wanted": Provide(filter_in_query)}
"""Lets a route have a filter `wanted`."""

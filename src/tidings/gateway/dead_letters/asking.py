"""How requests name dead letters: a filter in the query, an id in the path."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar.di import Provide
from litestar.params import QueryParameter

from tidings.contracts.codes import Channel, Reason
from tidings.contracts.dead_letters import DeadLetterFilter
from tidings.gateway.dead_letters.revising import unknown_dead_letter
from tidings.kit.errors import NotFound

_NAME = r"^[\w.-]{1,100}(?!\n)$"

Ids = Annotated[list[UUID] | None, QueryParameter(name="id", max_items=200, description="of these ids")]
Group = Annotated[
    str | None, QueryParameter(pattern=r"^[0-9a-f]{12}(?!\n)$", description="of one group, by its `group`")
]
ReasonName = Annotated[Reason | None, QueryParameter(description="given up for this reason")]
ChannelName = Annotated[Channel | None, QueryParameter(description="on this channel")]
Template = Annotated[str | None, QueryParameter(pattern=_NAME, description="of this template")]
Provider = Annotated[str | None, QueryParameter(pattern=_NAME, description="last tried by this provider")]
User = Annotated[str | None, QueryParameter(pattern=r"^[^\x00]{1,100}(?!\n)$", description="to this person")]
Since = Annotated[datetime | None, QueryParameter(description="recorded then or later, with a UTC offset")]
Until = Annotated[datetime | None, QueryParameter(description="recorded before then, with a UTC offset")]
WasReplayed = Annotated[bool | None, QueryParameter(description="only those replayed, or those not")]


async def filter_in_query(
    *,
    ids: Ids = None,
    group: Group = None,
    reason: ReasonName = None,
    channel: ChannelName = None,
    template_id: Template = None,
    provider: Provider = None,
    user_id: User = None,
    since: Since = None,
    until: Until = None,
    replayed: WasReplayed = None,
) -> DeadLetterFilter:
    """The filter that a query asks for."""
    return DeadLetterFilter(
        ids=ids,
        group=group,
        reason=reason,
        channel=channel,
        template_id=template_id,
        provider=provider,
        user_id=user_id,
        since=since,
        until=until,
        replayed=replayed,
    )


BY_QUERY = {"wanted": Provide(filter_in_query)}
"""Lets a route have a filter `wanted`."""


def letter_id_of(text: str) -> UUID:
    """The id in a path.

    Raises:
        NotFound: it is none, so no dead letter has it.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise unknown_dead_letter(text) from error


def job_id_of(text: str) -> UUID:
    """The id of a replay job in a path.

    Raises:
        NotFound: it is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise unknown_job(text) from error


def unknown_job(job_id: UUID | str) -> NotFound:
    """The error for an id that no replay job has."""
    return NotFound(f"There is no replay job {job_id}", code="unknown_replay")

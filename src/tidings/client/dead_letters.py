"""Client for those who run the system: dead letters, edits, replays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from tidings.client.http import ServiceHttp, open_session
from tidings.client.paging import each
from tidings.contracts.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterFilter,
    DeadLetterGroups,
    DeadLetterPatch,
    DeadLetters,
    Discarded,
    NewReplay,
    NewReplayJob,
    Replayed,
    ReplayJob,
    ReplayPlan,
)

SECONDS = 30.0
PATH = "/v1/dead-letters"


class DeadLettersClient:
    """Dead letters through the public API.

    Open it with `async with DeadLettersClient.open(url, api_key) as dead_letters`. Every method may raise
    `RemoteProblem` (refused) and `RemoteUnavailable`. Writes are not repeated: after no answer, look
    what became of it first.
    """

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str) -> "AsyncIterator[DeadLettersClient]":
        """A client with kept connections to the gateway at `url`."""
        async with open_session() as session:
            yield cls(ServiceHttp(session, url, lambda: api_key, seconds=SECONDS))

    def find(self, wanted: DeadLetterFilter | None = None) -> AsyncIterator[DeadLetter]:
        """All that fit, newest first, asked for page by page as they are taken."""
        filters = _query(wanted or DeadLetterFilter())
        return each(self._http, DeadLetters, PATH, lambda page: page.dead_letters, **filters)

    async def page(
        self, wanted: DeadLetterFilter, *, cursor: str | None = None, limit: int = 50
    ) -> DeadLetters:
        """Dead letters that fit, newest first; `limit` is at most 200."""
        extra = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return await self._http.read(DeadLetters, PATH, params=_query(wanted) | extra)

    async def groups(self, wanted: DeadLetterFilter, *, limit: int = 50) -> DeadLetterGroups:
        """Those that fit by cause, the largest groups first."""
        return await self._http.read(
            DeadLetterGroups, f"{PATH}/groups", params=_query(wanted) | {"limit": str(limit)}
        )

    async def read(self, letter_id: UUID) -> DeadLetterDetail:
        """A dead letter whole."""
        return await self._http.read(DeadLetterDetail, f"{PATH}/{letter_id}")

    async def edit(self, letter_id: UUID, patch: DeadLetterPatch) -> DeadLetterDetail:
        """Change what a replay will say."""
        answer = await self._http.once("PATCH", f"{PATH}/{letter_id}", body=patch)
        return answer.read(DeadLetterDetail)

    async def replay(self, letter_id: UUID, *, again: bool = False) -> Replayed:
        """Send one again as a new notification."""
        answer = await self._http.once("POST", f"{PATH}/{letter_id}/replay", body=NewReplay(again=again))
        return answer.read(Replayed)

    async def plan(self, wanted: NewReplayJob) -> ReplayPlan:
        """What a replay job would do now."""
        body = msgspec.structs.replace(wanted, dry_run=True)
        answer = await self._http.call("POST", f"{PATH}/replays", body=body, attempts=3)
        return answer.read(ReplayPlan)

    async def start(self, wanted: NewReplayJob) -> ReplayJob:
        """Begin a replay job."""
        body = msgspec.structs.replace(wanted, dry_run=False)
        answer = await self._http.once("POST", f"{PATH}/replays", body=body)
        return answer.read(ReplayJob)

    async def job(self, job_id: UUID) -> ReplayJob:
        """How far a replay job has come."""
        return await self._http.read(ReplayJob, f"{PATH}/replays/{job_id}")

    async def cancel(self, job_id: UUID) -> ReplayJob:
        """Stop a replay job for good."""
        answer = await self._http.once("DELETE", f"{PATH}/replays/{job_id}")
        return answer.read(ReplayJob)

    async def discard(self, wanted: DeadLetterFilter, *, everything: bool = False) -> Discarded:
        """Delete those that fit for good; without a filter only with `everything`."""
        params = _query(wanted) | ({"everything": "true"} if everything else {})
        answer = await self._http.once("DELETE", PATH, params=params)
        return answer.read(Discarded)


def _query(wanted: DeadLetterFilter) -> dict[str, str]:
    """A filter as query parameters.

    Raises:
        ValueError: it has several ids, and a query here has one value of each name.
    """
    values = dict(msgspec.to_builtins(wanted))
    ids = values.pop("ids", None)
    if ids is not None:
        (values["id"],) = ids
    return {name: _word(value) for name, value in values.items()}


def _word(value: str | bool) -> str:  # noqa: FBT001 - a value of a filter
    return value if isinstance(value, str) else str(value).lower()

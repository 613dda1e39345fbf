"""What the commands ask of the gateway."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidings.cli.answers import explained
from tidings.cli.dead_letters import showing
from tidings.cli.errors import CannotContinue
from tidings.cli.tables import show_json
from tidings.cli.target import Target
from tidings.client.dead_letters import DeadLettersClient
from tidings.contracts.dead_letters import (
    DeadLetter,
    DeadLetterFilter,
    DeadLetterPatch,
    NewReplayJob,
    ReplayJob,
    ReplayState,
    is_narrow,
)

ASK_EVERY = 0.5
PAGE = 200


@asynccontextmanager
async def _gateway(target: Target) -> AsyncIterator[DeadLettersClient]:
    with explained(target.url):
        async with DeadLettersClient.open(target.url, target.api_key) as client:
            yield client


async def list_letters(target: Target, wanted: DeadLetterFilter, *, limit: int, as_json: bool) -> None:
    """Show those that fit, newest first."""
    found: list[DeadLetter] = []
    cursor: str | None = None
    async with _gateway(target) as client:
        while len(found) < limit:
            page = await client.page(wanted, cursor=cursor, limit=min(PAGE, limit - len(found)))
            found += page.dead_letters
            cursor = page.next_cursor
            if cursor is None:
                break
    if as_json:
        show_json(found)
    else:
        showing.show_list(found, more=cursor is not None)


async def list_groups(target: Target, wanted: DeadLetterFilter, *, limit: int, as_json: bool) -> None:
    """Show those that fit by cause."""
    async with _gateway(target) as client:
        found = await client.groups(wanted, limit=limit)
    if as_json:
        show_json(found.groups)
    else:
        showing.show_groups(found.groups, more=found.more)


async def show(target: Target, letter_id: UUID, *, as_json: bool) -> None:
    """Show one whole."""
    async with _gateway(target) as client:
        letter = await client.read(letter_id)
    if as_json:
        show_json(letter)
    else:
        showing.show_letter(letter)


async def edit(target: Target, letter_id: UUID, patch: DeadLetterPatch, *, as_json: bool) -> None:
    """Change what a replay will say, and show it."""
    async with _gateway(target) as client:
        letter = await client.edit(letter_id, patch)
    if as_json:
        show_json(letter)
    else:
        showing.show_letter(letter)


async def plan(target: Target, wanted: NewReplayJob, *, as_json: bool) -> None:
    """Show what a replay would do."""
    async with _gateway(target) as client:
        planned = await client.plan(wanted)
    if as_json:
        show_json(planned)
    else:
        showing.show_plan(planned)


async def replay_one(target: Target, letter_id: UUID, *, again: bool, as_json: bool) -> None:
    """Replay one, and print the id of the new notification."""
    async with _gateway(target) as client:
        made = await client.replay(letter_id, again=again)
    if as_json:
        show_json(made)
    else:
        Console().out(str(made.notification_id), highlight=False)


async def replay_many(target: Target, wanted: NewReplayJob, *, wait: bool, as_json: bool) -> None:
    """Begin a job and show how it comes along; with `wait`, to its end. Ctrl-C stops it for good."""
    async with _gateway(target) as client:
        job = await client.start(wanted)
        if not as_json:
            Console(stderr=True).out(f"replay job {job.id}", highlight=False)
        try:
            if wait:
                job = await _follow(client, job)
        except asyncio.CancelledError:
            showing.show_job(await client.cancel(job.id))
            raise
    _show_job(job, as_json=as_json)


async def job(target: Target, job_id: UUID, *, cancel: bool, as_json: bool) -> None:
    """Show how far a job has come; with `cancel`, stop it first."""
    async with _gateway(target) as client:
        found = await client.cancel(job_id) if cancel else await client.job(job_id)
    _show_job(found, as_json=as_json)


async def discard(target: Target, wanted: DeadLetterFilter, ids: Sequence[UUID], *, everything: bool) -> None:
    """Delete those that fit, or those of the ids, for good.

    Raises:
        CannotContinue: neither a filter nor an id is given, nor that all are meant.
    """
    if not (ids or is_narrow(wanted) or everything):
        raise CannotContinue("Name ids, give a filter, or say --everything.")
    filters = [msgspec.structs.replace(wanted, ids=[one]) for one in ids] or [wanted]
    async with _gateway(target) as client:
        counts = [(await client.discard(one, everything=everything)).discarded for one in filters]
    Console().out(f"{sum(counts)} discarded", highlight=False)


async def _follow(client: DeadLettersClient, job: ReplayJob) -> ReplayJob:
    with _bar(job) as update:
        while job.state is ReplayState.RUNNING:
            await asyncio.sleep(ASK_EVERY)
            job = await client.job(job.id)
            update(job)
    return job


class _Bar:
    def __init__(self, progress: Progress, job: ReplayJob) -> None:
        self._progress = progress
        self._task = progress.add_task("replaying", total=job.matched)

    def __call__(self, job: ReplayJob) -> None:
        self._progress.update(self._task, completed=job.matched - job.remaining)


@contextmanager
def _bar(job: ReplayJob) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, job)


def _show_job(job: ReplayJob, *, as_json: bool) -> None:
    if as_json:
        show_json(job)
    else:
        showing.show_job(job)

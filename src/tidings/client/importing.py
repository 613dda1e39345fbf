"""Importing people: lines out, what became of each back."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from tidings.client.http import Answer, RemoteUnavailable, ServiceHttp
from tidings.contracts.users import ImportCounts, ImportEvent, ImportFault, NewUser

LINES = 1_000
"""How many people one request has: so few that each is answered well within a call's time limit."""
REPEATS = 3
HEADERS = {"Content-Type": "application/x-ndjson"}


class Imported(ImportCounts, frozen=True, kw_only=True):
    """How many people were created, updated and refused, and why: `line` counts them from 1."""

    errors: list[ImportFault] = []


async def import_people(http: ServiceHttp, path: str, people: Iterable[NewUser]) -> Imported:
    """Store any number of people.

    Raises:
        RemoteProblem: refused as a whole, such as for want of a scope.
        RemoteUnavailable: no answer, or one that broke off. Some may be stored.
    """
    total = Imported()
    for content in _requests(people):
        # `Raw` goes out as it is.
        answer = await http.call("POST", path, body=msgspec.Raw(content), headers=HEADERS, attempts=REPEATS)
        total = _added(total, answer)
    return total


def _requests(people: Iterable[NewUser]) -> Iterator[bytes]:
    waiting = iter(people)
    while some := list(islice(waiting, LINES)):
        yield b"".join(msgspec.json.encode(_said(person)) + b"\n" for person in some)


def _said(person: NewUser) -> dict[str, object]:
    # What a line leaves out stays as it is, so what nobody gave is left out.
    return {name: value for name, value in msgspec.to_builtins(person).items() if value not in (None, {})}


def _added(total: Imported, answer: Answer) -> Imported:
    events = [msgspec.json.decode(line, type=ImportEvent) for line in answer.body.splitlines()]
    done = events[-1].summary if events else None
    if done is None:
        raise RemoteUnavailable("The import broke off; it may be sent again")
    faults = [
        msgspec.structs.replace(event.error, line=event.error.line + total.lines)
        for event in events
        if event.error is not None
    ]
    return Imported(
        lines=total.lines + done.lines,
        created=total.created + done.created,
        updated=total.updated + done.updated,
        failed=total.failed + done.failed,
        errors=total.errors + faults,
    )

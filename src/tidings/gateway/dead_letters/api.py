"""The HTTP side of dead letters: looking through them, mending, replaying one, discarding."""

from typing import Annotated

from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.dead_letters import (
    DeadLetterDetail,
    DeadLetterFilter,
    DeadLetterGroups,
    DeadLetterPatch,
    DeadLetters,
    Discarded,
    NewReplay,
    Replayed,
    is_narrow,
)
from tidings.gateway.dead_letters import examples
from tidings.gateway.dead_letters.asking import BY_QUERY, letter_id_of
from tidings.gateway.dead_letters.reading import DeadLetterReader
from tidings.gateway.dead_letters.replaying import Replayer, Terms
from tidings.gateway.dead_letters.revising import Reviser
from tidings.gateway.dead_letters.store import DeadLetterStore
from tidings.kit.auth import Principal, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import Unprocessable
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

READ = [requires("dead-letters:read")]
WRITE = [requires("dead-letters:write")]
TAGS = ["dead letters"]
INVALID = "`invalid_request` or `naive_time`: `errors` names each field at fault"
UNKNOWN = "`unknown_dead_letter`"
CHANGED = "`dead_letter_changed`"
UNDELIVERABLE = (
    "`invalid_request`, `naive_time`, `already_expired`, `unreadable_dead_letter`, `redacted_dead_letter`,"
    " `unknown_user`, `unknown_template`, `unknown_version`, `template_lacks_channel`, `archived_template`,"
    " `missing_variable` or `invalid_variables`: `errors` names each field at fault"
)

Letters = NamedDependency[DeadLetterStore]
Wanted = NamedDependency[DeadLetterFilter]
Caller = Request[Principal, None, State]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many to answer")]
Everything = Annotated[bool, QueryParameter(description="without any filter: all of them")]


@get(
    "/v1/dead-letters",
    guards=READ,
    tags=TAGS,
    summary="Dead letters, newest first",
    dependencies=BY_QUERY,
    operation_class=example_of(answer=examples.LETTERS),
    responses=refusals(
        {400: "`malformed_request` or `bad_cursor`", 422: INVALID, 503: "`database_unavailable`"}
    ),
)
async def list_dead_letters(
    wanted: Wanted, request: Caller, dead_letters: Letters, cursor: Cursor = None, limit: Limit = 50
) -> DeadLetters:
    """Those to which every filter given applies."""
    found = await dead_letters.page(
        wanted, before=position_of(cursor), limit=limit + 1, only_tests=request.user.sandbox
    )
    more = len(found) > limit
    return DeadLetters(dead_letters=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@get(
    "/v1/dead-letters/groups",
    guards=READ,
    tags=TAGS,
    summary="Dead letters by cause, the largest groups first",
    dependencies=BY_QUERY,
    operation_class=example_of(answer=examples.GROUPS),
    responses=refusals({422: INVALID, 503: "`database_unavailable`"}),
)
async def group_dead_letters(
    wanted: Wanted, request: Caller, dead_letters: Letters, limit: Limit = 50
) -> DeadLetterGroups:
    """One group has one reason, provider and template, and one detail apart from ids, addresses and times."""
    found = await dead_letters.groups(wanted, limit=limit + 1, only_tests=request.user.sandbox)
    return DeadLetterGroups(groups=found[:limit], more=len(found) > limit)


@get(
    "/v1/dead-letters/{letter_id:str}",
    guards=READ,
    tags=TAGS,
    summary="A dead letter with its message, attempts and replays",
    operation_class=example_of(answer=examples.DETAIL),
    responses=refusals({404: UNKNOWN, 503: "`database_unavailable`"}),
)
async def read_dead_letter(
    letter_id: FromPath[str], request: Caller, dead_letter_reader: NamedDependency[DeadLetterReader]
) -> DeadLetterDetail:
    """Everything that is known of it. Edits stand beside the original message, which never changes."""
    return await dead_letter_reader.read(letter_id_of(letter_id), only_tests=request.user.sandbox)


@patch(
    "/v1/dead-letters/{letter_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Change what a replay will say",
    operation_class=example_of(request=examples.PATCH, answer=examples.DETAIL),
    responses=refusals({404: UNKNOWN, 409: CHANGED, 422: UNDELIVERABLE, 503: "`database_unavailable`"}),
)
async def edit_dead_letter(
    letter_id: FromPath[str],
    data: JSONBody[DeadLetterPatch],
    request: Caller,
    reviser: NamedDependency[Reviser],
    dead_letter_reader: NamedDependency[DeadLetterReader],
) -> DeadLetterDetail:
    """Edits are kept beside the original, and checked against user and template as a new request is."""
    key = letter_id_of(letter_id)
    await reviser.revise(key, data, request.user)
    return await dead_letter_reader.read(key, only_tests=request.user.sandbox)


@post(
    "/v1/dead-letters/{letter_id:str}/replay",
    guards=WRITE,
    tags=TAGS,
    status_code=202,
    summary="Send a dead letter again",
    operation_class=example_of(request=examples.NEW_REPLAY, answer=examples.REPLAYED),
    responses=refusals(
        {
            404: UNKNOWN,
            409: "`already_replayed`, `already_sent`, `already_cancelled` or `dead_letter_changed`",
            422: UNDELIVERABLE,
            503: "`database_unavailable` or `templates_unavailable`",
        }
    ),
)
async def replay_dead_letter(
    letter_id: FromPath[str],
    data: JSONBody[NewReplay],
    request: Caller,
    replayer: NamedDependency[Replayer],
) -> Response[Replayed]:
    """Makes a new notification of it, whose `replay_of` names the original.

    It takes the newest version of its template, unless an edit chose one.
    """
    key = letter_id_of(letter_id)
    terms = Terms(actor=request.user.owner, sandbox=request.user.sandbox, again=data.again)
    made = await replayer.replay(key, terms)
    return Response(
        Replayed(dead_letter_id=key, notification_id=made),
        status_code=202,
        headers={"Location": f"/v1/notifications/{made}"},
    )


@delete(
    "/v1/dead-letters",
    guards=WRITE,
    tags=TAGS,
    status_code=200,
    summary="Discard dead letters for good",
    dependencies=BY_QUERY,
    operation_class=example_of(answer=examples.DISCARDED),
    responses=refusals({422: f"`filter_required`, {INVALID}", 503: "`database_unavailable`"}),
)
async def discard_dead_letters(
    wanted: Wanted, dead_letters: Letters, request: Caller, *, everything: Everything = False
) -> Discarded:
    """Deletes those to which every filter given applies. Their notifications stay, as dead-lettered."""
    if not (is_narrow(wanted) or everything):
        raise Unprocessable(
            "Without a filter this would discard every dead letter; say so with everything=true",
            code="filter_required",
        )
    return Discarded(
        discarded=await dead_letters.discard(
            wanted, actor=request.user.owner, only_tests=request.user.sandbox
        )
    )


ROUTES: list[ControllerRouterHandler] = [
    list_dead_letters,
    group_dead_letters,
    read_dead_letter,
    edit_dead_letter,
    replay_dead_letter,
    discard_dead_letters,
]

"""What tests and people ask the simulator itself: what arrived, and which faults are in force."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from tidings.kit.errors import FieldFault, NotFound, Problem, Unprocessable
from tidings.kit.problems import render_problem
from tidings.simulator.emails import MailProvider, ReceivedEmail, StoredEmail, read, summarise
from tidings.simulator.faults import Fault, FaultReport, Faults
from tidings.simulator.fcm.devices import Devices
from tidings.simulator.fcm.send import Pushes, StoredPush
from tidings.simulator.journal import Journal

Emails = NamedDependency[Journal[StoredEmail]]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most")]
Cursor = Annotated[int | None, QueryParameter(ge=1, description="`next_cursor` of the page before")]


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """Emails, newest first. `dropped` counts the oldest, forgotten to make room since the last clear."""

    messages: list[ReceivedEmail]
    total: int
    dropped: int
    next_cursor: int | None


class ReceivedPush(msgspec.Struct, frozen=True, kw_only=True):
    """A push message that a provider took."""

    id: int
    received_at: datetime
    provider: str
    project: str
    token: str | None
    name: str
    message: dict[str, Any]


class PushPage(msgspec.Struct, frozen=True, kw_only=True):
    """Push messages, newest first; `dropped` as for the inbox."""

    pushes: list[ReceivedPush]
    total: int
    dropped: int
    next_cursor: int | None


class FaultList(msgspec.Struct, frozen=True):
    """The faults in force, in the order in which they are tried."""

    faults: list[FaultReport]


class DeviceToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registration token; left out, a new one is issued."""

    token: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_:-]{20,4096}$")] | None = None


def api_routes() -> Router:
    """The simulator's own API. It needs no credential: it is for one machine."""
    return Router(
        path="/api",
        route_handlers=[
            list_emails,
            show_email,
            raw_email,
            html_email,
            clear_emails,
            list_pushes,
            clear_pushes,
            show_faults,
            replace_faults,
            clear_faults,
            register_token,
            unregister_token,
        ],
        security=[{}],
    )


@get("/inbox", tags=["inbox"], summary="Emails, newest first")
async def list_emails(
    *,
    emails: Emails,
    limit: Limit = 100,
    cursor: Cursor = None,
    to: Annotated[str | None, QueryParameter(description="Only to this envelope recipient")] = None,
    provider: Annotated[MailProvider | None, QueryParameter(description="Only what came this way")] = None,
    bodies: Annotated[bool, QueryParameter(description="false leaves out the bodies, and is quick")] = True,
) -> InboxPage:
    """One page of the inbox."""
    only = partial(_fits, to=to, provider=provider) if to or provider else None
    page = emails.page(limit=limit, before=cursor, only=only)
    reader = read if bodies else summarise
    # Reading a thousand emails takes a second or so; SMTP goes on meanwhile.
    messages = await asyncio.to_thread(lambda: [reader(key, stored) for key, stored in page.entries])
    return InboxPage(
        messages=messages, total=page.total, dropped=emails.dropped, next_cursor=page.next_cursor
    )


@get("/inbox/{email_id:int}", tags=["inbox"], summary="One email with its headers")
async def show_email(emails: Emails, email_id: FromPath[int]) -> ReceivedEmail:
    """One email."""
    return await asyncio.to_thread(partial(read, email_id, _find(emails, email_id), with_headers=True))


@get("/inbox/{email_id:int}/raw", tags=["inbox"], summary="One email as it came over the wire")
async def raw_email(emails: Emails, email_id: FromPath[int]) -> Response[bytes]:
    """The bytes of one email; as text, so that a browser shows it and runs nothing."""
    headers = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
    return Response(_find(emails, email_id).raw, media_type="text/plain; charset=utf-8", headers=headers)


@get("/inbox/{email_id:int}/html", tags=["inbox"], summary="The HTML of one email, in a sandbox")
async def html_email(emails: Emails, email_id: FromPath[int]) -> Response[str]:
    """The HTML body with a policy that runs no script and submits no form; links open a new window."""
    html = read(email_id, _find(emails, email_id)).html
    if not isinstance(html, str):
        raise NotFound(f"Email {email_id} has no HTML part", code="no_html_part")
    policy = (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:; "
        "style-src * 'unsafe-inline'; font-src * data:; frame-ancestors 'self'"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return Response(html, media_type=MediaType.HTML, headers=headers)


@delete("/inbox", tags=["inbox"], summary="Forget all emails")
async def clear_emails(emails: Emails) -> None:
    """Empty the inbox."""
    emails.clear()


@get("/push", tags=["push"], summary="Push messages, newest first")
async def list_pushes(
    pushes: Pushes,
    limit: Limit = 100,
    cursor: Cursor = None,
    token: Annotated[str | None, QueryParameter(description="Only to this registration token")] = None,
) -> PushPage:
    """One page of the push messages taken."""
    only = (lambda stored: stored.token == token) if token else None
    page = pushes.page(limit=limit, before=cursor, only=only)
    received = [received_push(key, stored) for key, stored in page.entries]
    return PushPage(pushes=received, total=page.total, dropped=pushes.dropped, next_cursor=page.next_cursor)


@delete("/push", tags=["push"], summary="Forget all push messages")
async def clear_pushes(pushes: Pushes) -> None:
    """Empty the list of push messages."""
    pushes.clear()


@get("/faults", tags=["faults"], summary="The faults in force, and how often each fired")
async def show_faults(faults: NamedDependency[Faults]) -> FaultList:
    """The faults in force."""
    return FaultList(faults.report())


def _name_the_field(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    # The framework's own list of errors leaves out places inside a list; its cause has them.
    words, _, place = str(error.__cause__ or error.detail).partition(" - at ")
    field = place.strip("`").replace("$.data", "$") or "$"
    fault = FieldFault(field=field, message=words)
    refusal = Unprocessable(f"{field}: {words}", code="invalid_fault", errors=[fault])
    return render_problem(request, refusal)


@put(
    "/faults",
    tags=["faults"],
    summary="Replace the faults in force",
    exception_handlers={ValidationException: _name_the_field},
)
async def replace_faults(data: JSONBody[list[Fault]], faults: NamedDependency[Faults]) -> FaultList:
    """Put faults in force in place of all others."""
    faults.replace(data)
    return FaultList(faults.report())


@delete("/faults", tags=["faults"], summary="Behave again")
async def clear_faults(faults: NamedDependency[Faults]) -> None:
    """Remove every fault."""
    faults.replace([])


@post("/fcm/tokens", tags=["fcm"], summary="Issue a registration token, or register one again")
async def register_token(
    devices: NamedDependency[Devices], data: JSONBody[DeviceToken | None] = None
) -> DeviceToken:
    """A token to send to. Tokens of the right shape need no registration; see `Devices`."""
    token = data.token if data and data.token else devices.issue()
    devices.register(token)
    return DeviceToken(token)


@delete("/fcm/tokens/{token:str}", tags=["fcm"], summary="Unregister a token")
async def unregister_token(devices: NamedDependency[Devices], token: FromPath[str]) -> None:
    """From now on FCM answers sends to this token with UNREGISTERED."""
    devices.unregister(token)


def received_push(push_id: int, stored: StoredPush) -> ReceivedPush:
    """A stored push message with its id."""
    return ReceivedPush(
        id=push_id,
        received_at=stored.received_at,
        provider=stored.provider,
        project=stored.project,
        token=stored.token,
        name=stored.name,
        message=stored.message,
    )


def _fits(stored: StoredEmail, *, to: str | None, provider: MailProvider | None) -> bool:
    return (to is None or stored.went_to(to)) and provider in {None, stored.provider}


def _find(emails: Journal[StoredEmail], email_id: int) -> StoredEmail:
    stored = emails.get(email_id)
    if stored is None:
        raise NotFound(f"There is no email {email_id} in the inbox, or no longer", code="unknown_email")
    return stored

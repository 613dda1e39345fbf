"""Resend's send-email, with its idempotency keys.

https://resend.com/docs/api-reference/emails/send-email, https://resend.com/docs/api-reference/errors,
https://resend.com/docs/dashboard/emails/idempotency-keys
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tidings.kit.ids import now
from tidings.simulator.faults import ResendFault
from tidings.simulator.mail_apis.composing import File, Mail, compose
from tidings.simulator.mail_apis.exchange import (
    API_KEY,
    ApiError,
    MailDesk,
    Reply,
    Taken,
    json_reply,
    phrase,
    render_api_error,
)
from tidings.simulator.mail_apis.reading import (
    HEADER_NAME,
    Mailbox,
    Misshapen,
    Unreadable,
    read_base64,
    read_json,
    read_mailboxes,
)

MAX_BYTES = 40 * 1024 * 1024
MAX_RECIPIENTS = 50
MAX_KEY = 256
KEY_LIFETIME = timedelta(hours=24)
MAX_KEYS = 100_000
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")

# name -> (status, words)
_ERRORS = {
    "application_error": (500, "An unexpected error occurred."),
    "concurrent_idempotent_requests": (
        409,
        "Same idempotency key used while original request is still in progress.",
    ),
    "daily_quota_exceeded": (429, "You have reached your daily email sending quota."),
    "internal_server_error": (500, "An unexpected error occurred."),
    "invalid_api_key": (403, "API key is invalid"),
    "invalid_idempotency_key": (400, "The key must be between 1-256 chars."),
    "invalid_idempotent_request": (409, "Same idempotency key used with a different request payload."),
    "missing_api_key": (401, "Missing API key in the authorization header."),
    "monthly_quota_exceeded": (429, "You have reached your monthly email sending quota."),
    "rate_limit_exceeded": (
        429,
        "Too many requests. You can only make 5 requests per second.",
    ),
    "restricted_api_key": (401, "This API key is restricted to only send emails."),
    "security_error": (451, "We may have found a security issue with the request."),
}
_BY_STATUS = {
    401: "missing_api_key",
    403: "invalid_api_key",
    409: "concurrent_idempotent_requests",
    429: "rate_limit_exceeded",
    451: "security_error",
    500: "internal_server_error",
}

People = str | list[str]


class _Attachment(msgspec.Struct, frozen=True):
    filename: str | None = None
    content: str | None = None
    path: str | None = None
    content_type: str | None = None
    content_id: str | None = None


class _Tag(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    sender: str | None = msgspec.field(default=None, name="from")
    to: People | None = None
    subject: str | None = None
    cc: People = []
    bcc: People = []
    reply_to: People = []
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = {}
    attachments: list[_Attachment] = []
    tags: Annotated[list[_Tag], msgspec.Meta(max_length=75)] = []


class IdempotencyKeys:
    """Which request came with a key, and its answer, for a day."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[datetime, bytes, Reply]] = {}

    def find(self, key: str, fingerprint: bytes) -> Reply | None:
        """The answer given before to this key and request.

        Raises:
            ApiError: the key came with another request.
        """
        moment, known, reply = self._kept.get(key, (None, b"", None))
        if moment is None or moment + KEY_LIFETIME < now():
            return None
        if known != fingerprint:
            raise _error("invalid_idempotent_request")
        return reply

    def keep(self, key: str, fingerprint: bytes, reply: Reply) -> None:
        """Give this answer from now on."""
        self._kept.pop(key, None)
        self._kept[key] = (now(), fingerprint, reply)
        if len(self._kept) > MAX_KEYS:
            del self._kept[next(iter(self._kept))]


def resend_routes() -> Router:
    """The API below `/resend`."""
    return Router(
        path="/resend",
        route_handlers=[send, domains],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        request_max_body_size=MAX_BYTES,
        tags=["resend"],
        security=[{"bearer": []}],
    )


@post("/emails", status_code=200, summary="Resend: send an email")
async def send(
    request: Request[Any, Any, Any],
    desk: NamedDependency[MailDesk],
    idempotency_keys: NamedDependency[IdempotencyKeys],
) -> Response[bytes]:
    """Send Email."""
    _check_key(request.headers.get("authorization", ""))
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise _error("invalid_idempotency_key")
    body = await request.body()
    email = await asyncio.to_thread(_read, body)
    fingerprint = hashlib.sha256(body).digest()

    def take() -> Reply:
        known = idempotency_keys.find(key, fingerprint) if key else None
        if known:
            return known
        desk.keep("resend", email)
        reply = json_reply(200, {"id": email.reference})
        if key:
            idempotency_keys.keep(key, fingerprint, reply)
        return reply

    return await desk.serve(request, ResendFault, email.recipients, refuse=_fault_error, take=take)


@get("/domains", summary="Resend: the sending domains")
async def domains(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """None is set up; the simulator lets every domain send."""
    _check_key(request.headers.get("authorization", ""))
    return {"object": "list", "has_more": False, "data": []}


def _check_key(authorization: str) -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise _error("missing_api_key")
    if key != API_KEY:
        raise _error("invalid_api_key")


def _read(body: bytes) -> Taken:
    try:
        asked = read_json(body, _Request)
    except Unreadable as error:
        raise _invalid(400, "The request body is not valid JSON.") from error
    except Misshapen as error:
        raise _invalid(422, f"Invalid `{error.path}` field. {error.words}") from error
    email_id = str(uuid4())
    mail = _mail(asked)
    try:
        raw = compose(mail, f"<{email_id}@email.amazonses.com>")
    except ValueError as error:
        raise _invalid(422, str(error)) from error
    return Taken(
        return_path=f"{email_id}@send.resend.example",
        recipients=mail.recipients,
        raw=raw,
        reference=email_id,
        custom={tag.name: tag.value for tag in asked.tags},
    )


def _mail(asked: _Request) -> Mail:
    for name, value in (("from", asked.sender), ("to", asked.to), ("subject", asked.subject)):
        if not value:
            raise _error("missing_required_field", 422, f"Missing `{name}` field.")
    if asked.text is None and asked.html is None:
        raise _error("missing_required_field", 422, "Missing `html` or `text` field.")
    for tag in asked.tags:
        if not (_TAG.fullmatch(tag.name) and _TAG.fullmatch(tag.value)):
            words = "Tags should only contain ASCII letters, numbers, underscores, or dashes."
            raise _invalid(422, words)
    if any(not HEADER_NAME.fullmatch(name) for name in asked.headers):
        raise _invalid(422, "Invalid `headers` field. A name cannot contain spaces or colons.")
    [sender, *others] = _mailboxes("from", asked.sender or "")
    if others:
        raise _invalid(422, "Invalid `from` field. There can be only one sender.")
    return Mail(
        sender=sender,
        to=_mailboxes("to", asked.to or []),
        cc=_mailboxes("cc", asked.cc),
        bcc=_mailboxes("bcc", asked.bcc),
        reply_to=_mailboxes("reply_to", asked.reply_to),
        subject=asked.subject or "",
        text=asked.text,
        html=asked.html,
        headers=list(asked.headers.items()),
        files=list(_files(asked)),
    )


def _mailboxes(field: str, people: People) -> list[Mailbox]:
    listed = [people] if isinstance(people, str) else people
    if len(listed) > MAX_RECIPIENTS:
        raise _invalid(422, f"Invalid `{field}` field. The maximum number of recipients is 50.")
    try:
        return [mailbox for text in listed for mailbox in read_mailboxes(text)]
    except ValueError as error:
        words = (
            f"Invalid `{field}` field. The email address needs to follow the `email@example.com` or "
            "`Name <email@example.com>` format."
        )
        raise _invalid(422, words) from error


def _files(asked: _Request) -> Iterator[File]:
    for attachment in asked.attachments:
        if attachment.content is None or not attachment.filename:
            # A `path` would be fetched by Resend; the simulator reaches nothing outside.
            words = "Attachment must have either a `content` or `path`, and a `filename`."
            raise _error("invalid_attachment", 422, words)
        try:
            content = read_base64(attachment.content)
        except ValueError as error:
            raise _error("invalid_attachment", 422, "Attachment content is not valid base64.") from error
        kind = attachment.content_type or "application/octet-stream"
        yield File(attachment.filename, kind, content, attachment.content_id)


def _invalid(status: int, words: str) -> ApiError:
    return _error("validation_error", status, words)


def _error(
    name: str, status: int | None = None, words: str | None = None, *, retry_after: int | None = None
) -> ApiError:
    known_status, known_words = _ERRORS.get(name, (422, "We found an error with one or more fields."))
    status = status or known_status
    headers = {}
    if retry_after is not None:
        # https://resend.com/docs/api-reference/rate-limit: seconds until the window ends.
        wait = str(retry_after)
        headers = {
            "ratelimit-limit": "5",
            "ratelimit-remaining": "0",
            "ratelimit-reset": wait,
            "retry-after": wait,
        }
    body = {"statusCode": status, "message": words or known_words, "name": name}
    return ApiError(json_reply(status, body, headers))


def _fault_error(fault: ResendFault, status: int) -> ApiError:
    name = fault.error or _BY_STATUS.get(status)
    if name is None:
        name = "validation_error" if status < 500 else "application_error"  # noqa: PLR2004 - server errors
    words = None if name in _ERRORS else phrase(status)
    return _error(name, status, words, retry_after=fault.retry_after)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error("validation_error", error.status_code, error.detail).reply.response()

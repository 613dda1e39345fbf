"""Postmark's send-a-single-email.

https://postmarkapp.com/developer/api/email-api, error codes: https://postmarkapp.com/developer/api/overview
"""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tidings.kit.ids import now
from tidings.simulator.faults import PostmarkFault
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

MAX_BYTES = 10 * 1024 * 1024
MAX_RECIPIENTS = 50
MAX_SUBJECT = 2000
MAX_TAG = 1000
MAX_METADATA = 10
MAX_METADATA_NAME = 20
MAX_METADATA_VALUE = 80
INACTIVE_PREFIX = "inactive"
"""Recipients whose local part begins so are inactive: they bounced or complained before."""

_WORDS = {
    10: "Request does not contain a valid Server token.",
    100: "The Postmark API is offline for maintenance.",
    402: "Invalid JSON.",
    405: "You ran out of credits.",
    409: "The HTTP request does not have the Accept and Content-Type headers set to application/json.",
    412: "While your account is pending approval, all 'From' and 'To' addresses must be of the same domain.",
    413: "Your account has been disabled for sending.",
    429: "Rate limit exceeded.",
}
_BY_STATUS = {401: 10, 422: 300, 429: 429, 503: 100}


class _Header(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    value: str


class _Attachment(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name")
    content: str = msgspec.field(name="Content")
    content_type: str = msgspec.field(name="ContentType")
    content_id: str | None = msgspec.field(name="ContentID", default=None)


class _Request(msgspec.Struct, frozen=True, rename="pascal"):
    from_: str | None = msgspec.field(name="From", default=None)
    to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    reply_to: str | None = None
    subject: str | None = None
    tag: str | None = None
    html_body: str | None = None
    text_body: str | None = None
    headers: list[_Header] | None = None
    attachments: list[_Attachment] | None = None
    metadata: dict[str, str] | None = None
    message_stream: str | None = None


def postmark_routes() -> Router:
    """The API below `/postmark`."""
    return Router(
        path="/postmark",
        route_handlers=[send, server],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        request_max_body_size=MAX_BYTES,
        tags=["postmark"],
        security=[{}],
    )


@post("/email", status_code=200, summary="Postmark: send an email")
async def send(request: Request[Any, Any, Any], desk: NamedDependency[MailDesk]) -> Response[bytes]:
    """Send a single email; the server token goes in X-Postmark-Server-Token."""
    _check_token(request)
    if request.content_type[0] != "application/json":
        raise _error(409)
    body = await request.body()
    email, answer = await asyncio.to_thread(_read, body)

    def take() -> Reply:
        desk.keep("postmark", email)
        return json_reply(200, answer)

    return await desk.serve(request, PostmarkFault, email.recipients, refuse=_fault_error, take=take)


@get("/server", summary="Postmark: the server that the token belongs to")
async def server(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The server, with the members that say whether it sends."""
    _check_token(request)
    return {"ID": 1, "Name": "Simulator", "SmtpApiActivated": True, "DeliveryType": "Live"}


def _check_token(request: Request[Any, Any, Any]) -> None:
    token = request.headers.get("x-postmark-server-token")
    if token is None:
        words = (
            "No Account or Server API tokens were supplied in the HTTP headers. Please add a header for "
            "either X-Postmark-Server-Token or X-Postmark-Account-Token in your HTTP requests."
        )
        raise _error(10, 401, words)
    if token != API_KEY:
        raise _error(10, 401)


def _read(body: bytes) -> tuple[Taken, dict[str, object]]:
    try:
        asked = read_json(body, _Request)
    except Unreadable as error:
        raise _error(402) from error
    except Misshapen as error:
        raise _error(403, 422, f"Cannot convert the field '{error.path}': {error.words}") from error
    _check(asked)
    mail = _mail(asked)
    inactive = [address for address in mail.recipients if address.lower().startswith(INACTIVE_PREFIX)]
    recipients = tuple(address for address in mail.recipients if address not in inactive)
    if not recipients:
        words = (
            "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: "
            f"{', '.join(inactive)}. Inactive recipients are ones that have generated a hard bounce, a spam "
            "complaint, or a manual suppression."
        )
        raise _error(406, 422, words)
    message_id = str(uuid4())
    taken = Taken(
        return_path="pm_bounces@pm.mtasv.example",
        recipients=recipients,
        raw=_composed(asked, mail, message_id),
        reference=message_id,
        custom=asked.metadata or {},
        tags=(asked.tag,) if asked.tag else (),
    )
    words = "OK"
    if inactive:
        words = f"Message OK, but will not deliver to these inactive addresses: {', '.join(inactive)}"
    moment = now().isoformat()
    answer: dict[str, object] = {"To": asked.to, "SubmittedAt": moment, "MessageID": message_id}
    return taken, answer | {"ErrorCode": 0, "Message": words}


def _check(asked: _Request) -> None:
    if asked.text_body is None and asked.html_body is None:
        raise _error(300, 422, "Provide either email TextBody or HtmlBody or both.")
    if len(asked.subject or "") > MAX_SUBJECT:
        raise _error(300, 422, f"The 'Subject' may have {MAX_SUBJECT} characters at most.")
    if len(asked.tag or "") > MAX_TAG:
        raise _error(300, 422, f"The 'Tag' may have {MAX_TAG} characters at most.")
    metadata = asked.metadata or {}
    if len(metadata) > MAX_METADATA:
        raise _error(300, 422, f"There may be {MAX_METADATA} metadata fields at most.")
    for name, value in metadata.items():
        if len(name) > MAX_METADATA_NAME or len(value) > MAX_METADATA_VALUE:
            words = f"Metadata field '{name}' is longer than {MAX_METADATA_NAME} characters, or its value longer than {MAX_METADATA_VALUE}."  # noqa: E501 - one sentence
            raise _error(300, 422, words)
    for header in asked.headers or []:
        if not HEADER_NAME.fullmatch(header.name):
            raise _error(300, 422, f"Invalid header name: '{header.name}'.")


def _mail(asked: _Request) -> Mail:
    senders = _mailboxes("From", asked.from_)
    if len(senders) != 1:
        raise _error(300, 422, f"Invalid 'From' address: '{asked.from_ or ''}'.")
    mail = Mail(
        sender=senders[0],
        to=_mailboxes("To", asked.to),
        cc=_mailboxes("Cc", asked.cc),
        bcc=_mailboxes("Bcc", asked.bcc),
        reply_to=_mailboxes("ReplyTo", asked.reply_to),
        subject=asked.subject or "",
        text=asked.text_body,
        html=asked.html_body,
        headers=[(header.name, header.value) for header in asked.headers or []],
        files=list(_files(asked)),
    )
    if not mail.to:
        raise _error(300, 422, "Zero recipients specified")
    if len(mail.recipients) > MAX_RECIPIENTS:
        raise _error(300, 422, f"The message has more than {MAX_RECIPIENTS} recipients.")
    return mail


def _mailboxes(field: str, text: str | None) -> list[Mailbox]:
    if not text:
        return []
    try:
        return read_mailboxes(text)
    except ValueError as error:
        raise _error(300, 422, f"Invalid '{field}' address: '{text}'.") from error


def _files(asked: _Request) -> Iterator[File]:
    for file in asked.attachments or []:
        try:
            content = read_base64(file.content)
        except ValueError as error:
            words = f"The content of the attachment '{file.name}' is not valid base64."
            raise _error(300, 422, words) from error
        inline = file.content_id.removeprefix("cid:") if file.content_id else None
        yield File(file.name, file.content_type, content, inline)


def _composed(asked: _Request, mail: Mail, message_id: str) -> bytes:
    given = {header.name.lower(): header.value for header in asked.headers or []}
    keeps = given.get("x-pm-keepid", "").lower() == "true"
    # https://postmarkapp.com/support/article/965-can-i-customize-the-message-id-header
    left_out = {"x-pm-keepid"} if keeps else {"x-pm-keepid", "message-id"}
    headers = [(name, value) for name, value in mail.headers if name.lower() not in left_out]
    composed = Mail(
        sender=mail.sender,
        to=mail.to,
        cc=mail.cc,
        reply_to=mail.reply_to,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        headers=headers,
        files=mail.files,
    )
    try:
        return compose(composed, f"<{message_id}@mtasv.net>")
    except ValueError as error:
        raise _error(300, 422, str(error)) from error


def _error(
    code: int, status: int = 422, words: str | None = None, *, retry_after: int | None = None
) -> ApiError:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = {"ErrorCode": code, "Message": words or _WORDS.get(code, phrase(status))}
    return ApiError(json_reply(status, body, headers))


def _fault_error(fault: PostmarkFault, status: int) -> ApiError:
    code = fault.error if fault.error is not None else _BY_STATUS.get(status, status)
    return _error(code, status, retry_after=fault.retry_after)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(_BY_STATUS.get(error.status_code, 300), error.status_code, error.detail).reply.response()

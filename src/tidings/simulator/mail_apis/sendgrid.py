"""SendGrid's v3 mail send.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, limits and words of the errors:
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

import asyncio
import secrets
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tidings.simulator.faults import SendGridFault
from tidings.simulator.mail_apis.composing import File, Mail, compose
from tidings.simulator.mail_apis.exchange import (
    API_KEY,
    ApiError,
    MailDesk,
    Reply,
    Taken,
    json_reply,
    phrase,
    rate_headers,
    render_api_error,
)
from tidings.simulator.mail_apis.reading import Mailbox, Misshapen, Unreadable, read_base64, read_json
from tidings.simulator.mail_apis.sendgrid_request import (
    Attachment,
    Person,
    Personalization,
    SendRequest,
    Violation,
    violations,
)

MAX_BYTES = 30 * 1024 * 1024
_SENDER = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is "
    "resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the "
    "Sender Identity requirements"
)
_WORDS = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: _SENDER,
    413: "The payload is too large: a message may have 30 MB at most.",
    429: "too many requests",
}


def sendgrid_routes() -> Router:
    """The API below `/sendgrid`."""
    return Router(
        path="/sendgrid/v3",
        route_handlers=[send, scopes],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        request_max_body_size=MAX_BYTES,
        tags=["sendgrid"],
        security=[{"bearer": []}],
    )


@post("/mail/send", status_code=202, summary="SendGrid: send an email")
async def send(request: Request[Any, Any, Any], desk: NamedDependency[MailDesk]) -> Response[bytes]:
    """Mail Send; the answer has no body, and the id in X-Message-Id."""
    _check_key(request)
    if request.content_type[0] != "application/json":
        raise _refused(415, Violation("Content-Type should be application/json."))
    body = await request.body()
    message_id = secrets.token_urlsafe(16)
    asked, emails = await asyncio.to_thread(_read, body, message_id)

    def take() -> Reply:
        if asked.rehearses:
            return Reply(200, b"")
        for email in emails:
            desk.keep("sendgrid", email)
        return Reply(202, b"", {"X-Message-Id": message_id})

    recipients = [address for email in emails for address in email.recipients]
    return await desk.serve(request, SendGridFault, recipients, refuse=_fault_error, take=take)


@get("/scopes", summary="SendGrid: what the key may do")
async def scopes(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    """Scopes of the key."""
    _check_key(request)
    return {"scopes": ["mail.send"]}


def _check_key(request: Request[Any, Any, Any]) -> None:
    if request.headers.get("authorization") != f"Bearer {API_KEY}":
        raise _error(401)


def _read(body: bytes, message_id: str) -> tuple[SendRequest, list[Taken]]:
    try:
        asked = read_json(body, SendRequest)
    except Unreadable as error:
        raise _error(400) from error
    except Misshapen as error:
        unknown = error.unknown and f"Additional property {error.unknown} is not allowed"
        raise _refused(400, Violation(unknown or f"Invalid type. {error.words}", error.path)) from error
    wrong = list(violations(asked))
    if wrong:
        raise _refused(400, *wrong)
    try:
        return asked, [_email(asked, each, message_id) for each in asked.personalizations]
    except ValueError as error:
        raise _refused(400, Violation(str(error))) from error


def _email(asked: SendRequest, personalization: Personalization, message_id: str) -> Taken:
    by_type = {block.type: block.value for block in asked.content}
    replies = asked.reply_to_list or ([asked.reply_to] if asked.reply_to else [])
    mail = Mail(
        sender=_mailbox(personalization.sender or asked.sender or Person()),
        to=[_mailbox(person) for person in personalization.to],
        cc=[_mailbox(person) for person in personalization.cc],
        bcc=[_mailbox(person) for person in personalization.bcc],
        reply_to=[_mailbox(person) for person in replies],
        subject=personalization.subject or asked.subject,
        text=by_type.get("text/plain"),
        html=by_type.get("text/html"),
        headers=list((asked.headers | personalization.headers).items()),
        files=[
            File(file.filename, file.type, read_base64(file.content), _content_id(file))
            for file in asked.attachments
        ],
    )
    return Taken(
        return_path=f"bounces+{message_id}@em.sendgrid.example",
        recipients=mail.recipients,
        raw=compose(mail, f"<{message_id}@geopod-ismtpd-1>"),
        reference=message_id,
        custom=asked.custom_args | personalization.custom_args,
        tags=tuple(asked.categories),
    )


def _mailbox(person: Person) -> Mailbox:
    return Mailbox(person.email, person.name)


def _content_id(file: Attachment) -> str | None:
    return file.content_id if file.disposition == "inline" else None


def _refused(status: int, *violations: Violation) -> ApiError:
    return ApiError(json_reply(status, {"errors": violations}))


def _error(status: int, retry_after: int | None = None) -> ApiError:
    field = "from" if status == 403 else None  # noqa: PLR2004 - the error about the sender
    violation = Violation(_WORDS.get(status, phrase(status)), field)
    headers = rate_headers(retry_after, prefix="X-RateLimit-")
    return ApiError(json_reply(status, {"errors": [violation]}, headers))


def _fault_error(fault: SendGridFault, status: int) -> ApiError:
    return _error(status, fault.retry_after)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(error.status_code).reply.response()

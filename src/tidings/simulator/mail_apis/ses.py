"""Amazon SES, API v2: SendEmail with raw and simple content.

Raw mail stays as it came, byte for byte; SES itself writes a Message-ID and a Date of its own into it.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import asyncio
import re
import secrets
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses
from typing import Any
from uuid import uuid4

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tidings.simulator.faults import SesFault
from tidings.simulator.mail_apis.composing import File, Mail, compose
from tidings.simulator.mail_apis.exchange import (
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
from tidings.simulator.mail_apis.ses_request import Content, Header, Raw, SendRequest, Simple
from tidings.simulator.mail_apis.sigv4 import NotSigned, SignedRequest, verify

ACCESS_KEY_ID = "AKIASIMULATOR0000000"
SECRET_ACCESS_KEY = "simulator-secret"  # noqa: S105 - it guards nothing
MAX_BYTES = 40 * 1024 * 1024
MAX_BODY_BYTES = MAX_BYTES // 3 * 4 + 1024 * 1024
MAX_RECIPIENTS = 50
MAX_HEADERS = 15
MAX_HEADER_VALUE = 870
_TAG_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.@-]{1,256}")

# name -> (status, words)
_ERRORS = {
    "AccountSuspendedException": (400, "Sending is disabled for this account."),
    "BadRequestException": (400, "The input you provided is invalid."),
    "InternalServiceErrorException": (500, "The request processing has failed because of an unknown error."),
    "LimitExceededException": (400, "Daily message quota exceeded."),
    "MailFromDomainNotVerifiedException": (400, "The MAIL FROM domain is not verified."),
    "MessageRejected": (400, "Email address is not verified."),
    "NotFoundException": (404, "The resource you attempted to access doesn't exist."),
    "SendingPausedException": (400, "Email sending is disabled for your account."),
    "ServiceUnavailableException": (503, "The request has failed due to a temporary failure of the server."),
    "TooManyRequestsException": (429, "Maximum sending rate exceeded."),
}
_BY_STATUS = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "NotFoundException",
    413: "RequestEntityTooLargeException",
    429: "TooManyRequestsException",
    500: "InternalServiceErrorException",
    503: "ServiceUnavailableException",
}


def ses_routes() -> Router:
    """The API below `/ses`."""
    return Router(
        path="/ses/v2/email",
        route_handlers=[send, account],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        request_max_body_size=MAX_BODY_BYTES,
        tags=["ses"],
        security=[{}],
    )


@post("/outbound-emails", status_code=200, summary="SES: send an email")
async def send(request: Request[Any, Any, Any], desk: NamedDependency[MailDesk]) -> Response[bytes]:
    """SendEmail; the request has to be signed (Signature Version 4)."""
    body = await _signed_body(request)
    email = await asyncio.to_thread(_read, body)

    def take() -> Reply:
        desk.keep("ses", email)
        return json_reply(200, {"MessageId": email.reference}, _request_id())

    return await desk.serve(request, SesFault, email.recipients, refuse=_fault_error, take=take)


@get("/account", summary="SES: the account's limits")
async def account(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """GetAccount."""
    await _signed_body(request)
    return {
        "SendingEnabled": True,
        "ProductionAccessEnabled": True,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 1_000_000.0, "MaxSendRate": 1000.0, "SentLast24Hours": 0.0},
    }


async def _signed_body(request: Request[Any, Any, Any]) -> bytes:
    body = await request.body()
    signed = SignedRequest(
        method=request.method,
        path=request.scope["raw_path"].decode("latin-1"),
        query=request.scope["query_string"].decode("latin-1"),
        headers=[
            (name.decode("latin-1").lower(), value.decode("utf-8", "replace"))
            for name, value in request.scope["headers"]
        ],
        body=body,
    )
    try:
        verify(signed, service="ses", key_id=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY)
    except NotSigned as error:
        raise _error(error.error, 403, error.words) from error
    return body


def _read(body: bytes) -> Taken:
    try:
        asked = read_json(body, SendRequest)
    except Unreadable as error:
        raise _error("SerializationException", 400, "Unable to parse the request body as JSON.") from error
    except Misshapen as error:
        raise _error("SerializationException", 400, f"{error.path}: {error.words}") from error
    for tag in asked.email_tags:
        if not _TAG_NAME.fullmatch(tag.name) or not _TAG_VALUE.fullmatch(tag.value):
            words = (
                f"Invalid tag <{tag.name}: {tag.value}>: use only alphanumeric ASCII characters, '_', '-', "
                "and in values also '.' and '@'."
            )
            raise _bad(words)
    message_id = f"{secrets.token_hex(8)}-{uuid4()}-000000"
    try:
        recipients, raw = _content(asked, message_id)
    except ValueError as error:
        raise _bad(str(error)) from error
    if not recipients:
        raise _bad("Missing final recipient: no destination was given.")
    if len(recipients) > MAX_RECIPIENTS:
        raise _bad(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    if len(raw) > MAX_BYTES:
        raise _bad(f"Message length is more than {MAX_BYTES} bytes long: '{len(raw)}'.")
    return Taken(
        return_path=f"{message_id}@amazonses.example",
        recipients=recipients,
        raw=raw,
        reference=message_id,
        custom=_custom(asked),
    )


def _custom(asked: SendRequest) -> Mapping[str, str]:
    tags = {tag.name: tag.value for tag in asked.email_tags}
    # Amazon adds tags of its own, which begin with `ses:`.
    if asked.configuration_set_name:
        tags["ses:configuration-set"] = asked.configuration_set_name
    return tags


def _content(asked: SendRequest, message_id: str) -> tuple[tuple[str, ...], bytes]:
    content = asked.content or Content()
    if (content.simple is None) == (content.raw is None):
        raise _bad("Exactly one of the members Simple, Raw and Template of Content must be given.")
    if content.raw is not None:
        return _raw(asked, content.raw)
    return _simple(asked, content.simple, message_id) if content.simple else ((), b"")


def _raw(asked: SendRequest, content: Raw) -> tuple[tuple[str, ...], bytes]:
    raw = read_base64(content.data)
    message = message_from_bytes(raw)
    for name in ("From", "Subject", "Message-ID", "Date", "To", "Cc", "Reply-To"):
        if len(message.get_all(name, [])) > 1:
            raise _bad(f"Duplicate header '{name}'.")
    if not (asked.from_email_address or message["From"]):
        raise _bad("Missing required header 'From'.")
    return tuple(_addresses(asked.destination.everybody or list(_named_in(message)))), raw


def _named_in(message: Message) -> Iterator[str]:
    for name in ("To", "Cc", "Bcc"):
        yield from map(str, message.get_all(name, []))


def _addresses(texts: list[str]) -> Iterator[str]:
    for text in texts:
        for mailbox in _mailboxes([text]):
            yield mailbox.address


def _simple(asked: SendRequest, content: Simple, message_id: str) -> tuple[tuple[str, ...], bytes]:
    if not asked.from_email_address:
        raise _bad("Missing required parameter FromEmailAddress.")
    if content.body.text is None and content.body.html is None:
        raise _bad("The message body must have Text or Html.")
    _check_headers(content.headers)
    [sender, *others] = _mailboxes([asked.from_email_address])
    if others:
        raise _bad("There can be only one sender.")
    mail = Mail(
        sender=sender,
        to=_mailboxes(asked.destination.to_addresses),
        cc=_mailboxes(asked.destination.cc_addresses),
        bcc=_mailboxes(asked.destination.bcc_addresses),
        reply_to=_mailboxes(asked.reply_to_addresses),
        subject=content.subject.data,
        text=content.body.text.data if content.body.text else None,
        html=content.body.html.data if content.body.html else None,
        headers=[(header.name, header.value) for header in content.headers],
        files=[
            File(file.file_name, file.content_type, read_base64(file.raw_content), file.content_id)
            for file in content.attachments
        ],
    )
    return mail.recipients, compose(mail, f"<{message_id}@email.amazonses.com>")


def _check_headers(headers: list[Header]) -> None:
    if len(headers) > MAX_HEADERS:
        raise _bad(f"There can be {MAX_HEADERS} headers at most.")
    for header in headers:
        if not HEADER_NAME.fullmatch(header.name) or len(header.value) > MAX_HEADER_VALUE:
            raise _bad(f"Invalid header <{header.name}>.")


def _mailboxes(texts: list[str]) -> list[Mailbox]:
    found: list[Mailbox] = []
    for text in texts:
        try:
            found += read_mailboxes(text)
        except ValueError as error:
            named = [address for _, address in getaddresses([text])]
            words = "Illegal address" if named else "Missing final '@domain'"
            raise _bad(words) from error
    return found


def _bad(words: str) -> ApiError:
    return _error("BadRequestException", 400, words)


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid4())}


def _error(name: str, status: int, words: str, *, retry_after: int | None = None) -> ApiError:
    headers = {"x-amzn-ErrorType": name, **_request_id()}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return ApiError(json_reply(status, {"message": words}, headers))


def _fault_error(fault: SesFault, status: int) -> ApiError:
    name = fault.error or _BY_STATUS.get(status)
    if name is None:
        name = "BadRequestException" if status < 500 else "ServiceUnavailableException"  # noqa: PLR2004 - server errors
    _, words = _ERRORS.get(name, (status, phrase(status)))
    return _error(name, status, words, retry_after=fault.retry_after)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    name = _BY_STATUS.get(error.status_code, "BadRequestException")
    return _error(name, error.status_code, error.detail).reply.response()

"""Mailgun's messages: in parts, and as MIME.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
"""

import asyncio
import binascii
import re
import secrets
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from litestar import Request, Response, Router, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from tidings.kit.ids import now
from tidings.simulator.faults import MailgunFault
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
from tidings.simulator.mail_apis.reading import HEADER_NAME, Mailbox, read_mailboxes

MAX_BYTES = 25 * 1024 * 1024
MAX_RECIPIENTS = 1000
MAX_VARIABLES_BYTES = 16 * 1024
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z0-9-]+")
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<?([^>\s]+)")


def mailgun_routes() -> Router:
    """The API below `/mailgun`."""
    return Router(
        path="/mailgun/v3",
        route_handlers=[send, send_mime],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        request_max_body_size=MAX_BYTES,
        tags=["mailgun"],
        security=[{}],
    )


@post("/{domain:str}/messages", status_code=200, summary="Mailgun: send an email")
async def send(
    request: Request[Any, Any, Any], domain: FromPath[str], desk: NamedDependency[MailDesk]
) -> Response[bytes]:
    """Send an email in parts."""
    form = await _form(request, domain)
    files = [file async for file in _files(form)]
    email = await asyncio.to_thread(_in_parts, form, files, domain)
    return await _serve(request, desk, email, form)


@post("/{domain:str}/messages.mime", status_code=200, summary="Mailgun: send an email as MIME")
async def send_mime(
    request: Request[Any, Any, Any], domain: FromPath[str], desk: NamedDependency[MailDesk]
) -> Response[bytes]:
    """Send an email that is MIME already, in the field `message`."""
    form = await _form(request, domain)
    message = form.get("message")
    raw = await message.read() if isinstance(message, UploadFile) else str(message or "").encode()
    if not raw:
        raise _bad("'message' parameter is missing")
    recipients = [mailbox.address for mailbox in _mailboxes(form, "to")]
    if not recipients:
        raise _bad("to parameter is missing")
    found = _MESSAGE_ID.search(raw)
    reference = found[1].decode("latin-1") if found else _new_message_id(domain)
    return await _serve(request, desk, _taken(form, reference, recipients, raw, domain), form)


async def _form(request: Request[Any, Any, Any], domain: str) -> FormMultiDict:
    if not _may_send(request.headers.get("authorization", "")):
        raise ApiError(Reply(401, b"Forbidden", {}, "text/plain; charset=utf-8"))
    if not _DOMAIN.fullmatch(domain.lower()):
        raise _error(404, f"Domain not found: {domain}")
    return await request.form()


def _may_send(authorization: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        return scheme.lower() == "basic" and b64decode(encoded).decode() == f"api:{API_KEY}"
    except (binascii.Error, UnicodeDecodeError):
        return False


async def _serve(
    request: Request[Any, Any, Any], desk: MailDesk, email: Taken, form: FormMultiDict
) -> Response[bytes]:
    # Test mode: the request is checked, and no email sent.
    rehearses = form.get("o:testmode") in {"yes", "true", "True"}

    def take() -> Reply:
        if not rehearses:
            desk.keep("mailgun", email)
        return json_reply(200, {"id": f"<{email.reference}>", "message": "Queued. Thank you."})

    return await desk.serve(request, MailgunFault, email.recipients, refuse=_fault_error, take=take)


def _in_parts(form: FormMultiDict, files: Sequence[File], domain: str) -> Taken:
    senders = _mailboxes(form, "from")
    if len(senders) != 1:
        raise _bad("from parameter is missing")
    mail = Mail(
        sender=senders[0],
        to=_mailboxes(form, "to"),
        cc=_mailboxes(form, "cc"),
        bcc=_mailboxes(form, "bcc"),
        subject=_text(form, "subject") or "",
        text=_text(form, "text"),
        html=_text(form, "html"),
        headers=list(_headers(form)),
        files=files,
    )
    if not mail.to:
        raise _bad("to parameter is missing")
    if not (mail.text or mail.html):
        raise _bad("Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    given = {name.lower(): value for name, value in mail.headers}
    reference = given.get("message-id", "").strip("<> ") or _new_message_id(domain)
    try:
        raw = compose(mail, f"<{reference}>")
    except ValueError as error:
        raise _bad(str(error)) from error
    return _taken(form, reference, mail.recipients, raw, domain)


def _taken(form: FormMultiDict, reference: str, recipients: Sequence[str], raw: bytes, domain: str) -> Taken:
    if len(recipients) > MAX_RECIPIENTS:
        raise _bad(f"to, cc and bcc may name {MAX_RECIPIENTS} recipients at most")
    custom = {name[2:]: str(value) for name, value in form.multi_items() if name.startswith("v:")}
    if sum(len(name) + len(value) for name, value in custom.items()) > MAX_VARIABLES_BYTES:
        raise _bad("The custom variables are larger than 16 KB")
    return Taken(
        return_path=f"bounce+{secrets.token_hex(6)}@{domain}",
        recipients=tuple(recipients),
        raw=raw,
        reference=reference,
        custom=custom,
        tags=tuple(str(value) for value in form.getall("o:tag", [])),
    )


def _mailboxes(form: FormMultiDict, field: str) -> list[Mailbox]:
    try:
        return [mailbox for text in form.getall(field, []) if text for mailbox in read_mailboxes(str(text))]
    except ValueError as error:
        raise _bad(f"'{field}' parameter is not a valid address. please check documentation") from error


def _headers(form: FormMultiDict) -> Iterator[tuple[str, str]]:
    for field, value in form.multi_items():
        name = field[2:]
        if not field.startswith("h:"):
            continue
        if not HEADER_NAME.fullmatch(name):
            raise _bad(f"'{field}' is not a valid header name")
        yield name, str(value)


async def _files(form: FormMultiDict) -> AsyncIterator[File]:
    for field in ("attachment", "inline"):
        for upload in form.getall(field, []):
            if not isinstance(upload, UploadFile):
                raise _bad(f"'{field}' has to be a file")
            name = upload.filename
            cid = name if field == "inline" else None
            yield File(name, upload.content_type, await upload.read(), cid)


def _text(form: FormMultiDict, field: str) -> str | None:
    value = form.get(field)
    return None if value is None else str(value)


def _new_message_id(domain: str) -> str:
    return f"{now():%Y%m%d%H%M%S}.{secrets.token_hex(8)}@{domain}"


def _bad(words: str) -> ApiError:
    return _error(400, words)


def _error(status: int, words: str, *, retry_after: int | None = None) -> ApiError:
    return ApiError(json_reply(status, {"message": words}, rate_headers(retry_after, prefix="X-RateLimit-")))


def _fault_error(fault: MailgunFault, status: int) -> ApiError:
    if status == 401:  # noqa: PLR2004 - the one that is no JSON
        return ApiError(Reply(401, b"Forbidden", {}, "text/plain; charset=utf-8"))
    return _error(status, phrase(status), retry_after=fault.retry_after)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(error.status_code, error.detail).reply.response()

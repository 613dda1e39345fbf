"""Twilio SendGrid, v3 mail send.

Request: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
Errors: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.email.letter import EmailParcel, File, parts_of
from tidings.email.providers.addressing import (
    Mailbox,
    further_headers,
    own_message_id,
    recipients,
    reference_of,
    sender_mailbox,
    subject_of,
)
from tidings.email.providers.configs import SendGridConfig
from tidings.email.providers.http_api import (
    JSON,
    Accepted,
    HttpProvider,
    Rejected,
    Reply,
    Request,
    in_json,
    text_of,
)
from tidings.email.providers.outfit import Outfit
from tidings.kit.email_headers import ascii_address

_NAMES_THE_PERSON = re.compile(r"personalizations\.0\.to\b")


class SendGridProvider(HttpProvider):
    """202 means queued. SendGrid has no idempotency key, and names dead addresses in its events only."""

    def __init__(self, name: str, config: SendGridConfig, outfit: Outfit) -> None:
        super().__init__(
            name, outfit.session, url=config.url, seconds=config.seconds, secrets=(config.api_key,)
        )
        self._outfit = outfit
        self._from = _address(sender_mailbox(outfit.sender))
        self._headers = {**JSON, "Authorization": f"Bearer {config.api_key}"}

    def _request(self, parcel: EmailParcel) -> Request:
        body = msgspec.json.encode(self._message(parcel))
        return Request(self._url / "v3/mail/send", self._headers, body)

    def _judge(self, reply: Reply, _parcel: EmailParcel) -> Accepted | Rejected | None:
        if reply.status == HTTPStatus.ACCEPTED:
            return Accepted(reply.headers.get("X-Message-Id"))
        errors = in_json(reply.body).get("errors")
        errors = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        if reply.status != HTTPStatus.BAD_REQUEST or not errors:
            return None
        return Rejected(_owner(errors), "; ".join(map(_words, errors)))

    def _ping(self) -> Request:
        # Every key may ask what it may do.
        return Request(self._url / "v3/scopes", self._headers, method="GET")

    def _message(self, parcel: EmailParcel) -> dict[str, Any]:
        whom, email, parts = recipients(parcel), parcel.content.email, parts_of(parcel)
        envelope: dict[str, Any] = {"to": [_address(whom.to)]}
        if whom.cc:
            envelope["cc"] = [{"email": address} for address in whom.cc]
        if whom.bcc:
            envelope["bcc"] = [{"email": address} for address in whom.bcc]
        # Plain text has to come first, and no part may be empty.
        contents = (("text/plain", email.text), ("text/html", email.html))
        message: dict[str, Any] = {
            "personalizations": [envelope],
            "from": self._from,
            "subject": subject_of(parcel),
            "content": [{"type": kind, "value": value} for kind, value in contents if value],
            "headers": {**further_headers(parcel), **own_message_id(parcel, self._outfit.sender)},
            "custom_args": {"notification_id": reference_of(parcel, self._outfit.return_path)},
        }
        if parts.reply_to:
            message["reply_to"] = {"email": ascii_address(parts.reply_to)}
        if parcel.content.files:
            message["attachments"] = [_attachment(file) for file in parcel.content.files]
        return message


def _address(written: Mailbox) -> dict[str, str]:
    return {"email": written.address, "name": written.name} if written.name else {"email": written.address}


def _attachment(file: File) -> dict[str, Any]:
    shown: dict[str, Any] = {"content": file.content, "type": file.content_type, "filename": file.filename}
    if file.content_id is None:
        return {**shown, "disposition": "attachment"}
    return {**shown, "disposition": "inline", "content_id": file.content_id}


def _owner(errors: list[dict[str, Any]]) -> ErrorOwner:
    fields = [text_of(error, "field") for error in errors]
    if any(_NAMES_THE_PERSON.match(field) for field in fields):
        return ErrorOwner.RECIPIENT
    # The sender is a setting: no other message would fare better.
    return ErrorOwner.CREDENTIAL if any(f.split(".")[0] == "from" for f in fields) else ErrorOwner.CONTENT


def _words(error: dict[str, Any]) -> str:
    field = text_of(error, "field")
    return f"{text_of(error, 'message')} ({field})" if field else text_of(error, "message")

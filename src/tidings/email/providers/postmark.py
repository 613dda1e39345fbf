"""Postmark.

Request: https://postmarkapp.com/developer/api/email-api
Errors: https://postmarkapp.com/developer/api/overview#error-codes
"""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.email.letter import EmailParcel, File, parts_of
from tidings.email.providers.addressing import (
    further_headers,
    own_message_id,
    recipients,
    reference_of,
    sender_mailbox,
    subject_of,
)
from tidings.email.providers.configs import PostmarkConfig
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

_BY_CODE = {
    10: ErrorOwner.CREDENTIAL,  # bad or missing API token
    100: ErrorOwner.OUTAGE,  # maintenance
    400: ErrorOwner.CREDENTIAL,  # sender signature not found
    401: ErrorOwner.CREDENTIAL,  # sender signature not confirmed
    405: ErrorOwner.CREDENTIAL,  # not allowed to send: out of credits
    406: ErrorOwner.RECIPIENT,  # inactive recipient
    412: ErrorOwner.CREDENTIAL,  # account is pending
    413: ErrorOwner.CREDENTIAL,  # account may not send
    429: ErrorOwner.THROTTLE,  # rate limit exceeded
    1235: ErrorOwner.CREDENTIAL,  # the message stream does not exist
    1236: ErrorOwner.CREDENTIAL,  # the message stream is archived
}
_INVALID_REQUEST = 300
_INACTIVE = 406
_INVALID_ADDRESS = re.compile(r"invalid '(to|from)' address", re.IGNORECASE)
_LEFT_OUT = re.compile(r"inactive addresses: (?P<addresses>.+?)(\. |\.?$)", re.DOTALL)


class PostmarkProvider(HttpProvider):
    """Keeps our Message-ID when `X-PM-KeepID` asks for it, and knows which addresses are dead."""

    def __init__(self, name: str, config: PostmarkConfig, outfit: Outfit) -> None:
        super().__init__(
            name, outfit.session, url=config.url, seconds=config.seconds, secrets=(config.server_token,)
        )
        self._outfit = outfit
        self._from = str(sender_mailbox(outfit.sender))
        self._stream = config.message_stream
        self._headers = {**JSON, "X-Postmark-Server-Token": config.server_token}

    def _request(self, parcel: EmailParcel) -> Request:
        return Request(self._url / "email", self._headers, msgspec.json.encode(self._message(parcel)))

    def _judge(self, reply: Reply, parcel: EmailParcel) -> Accepted | Rejected | None:
        members = in_json(reply.body)
        code, message = members.get("ErrorCode"), text_of(members, "Message")
        words = f"ErrorCode {code}: {message}"
        if reply.status == HTTPStatus.OK and code == 0:
            return _unless_left_out(text_of(members, "MessageID"), message, parcel)
        if reply.status not in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY} or not isinstance(code, int):
            return None
        if code == _INVALID_REQUEST and (found := _INVALID_ADDRESS.search(message)):
            person = found[1].lower() == "to"
            return Rejected(ErrorOwner.RECIPIENT if person else ErrorOwner.CREDENTIAL, words)
        return Rejected(_BY_CODE.get(code, ErrorOwner.CONTENT), words, dead=code == _INACTIVE)

    def _ping(self) -> Request:
        return Request(self._url / "server", self._headers, method="GET")

    def _message(self, parcel: EmailParcel) -> dict[str, Any]:
        whom, email, parts = recipients(parcel), parcel.content.email, parts_of(parcel)
        headers = {
            **further_headers(parcel),
            **own_message_id(parcel, self._outfit.sender),
            "X-PM-KeepID": "true",
        }
        optional = {
            "Cc": ", ".join(whom.cc),
            "Bcc": ", ".join(whom.bcc),
            "ReplyTo": ascii_address(parts.reply_to) if parts.reply_to else None,
            "TextBody": email.text,
            "HtmlBody": email.html,
            "Attachments": [_attachment(file) for file in parcel.content.files],
        }
        return {
            "From": self._from,
            "To": str(whom.to),
            "Subject": subject_of(parcel),
            "MessageStream": self._stream,
            "Metadata": {"notification_id": reference_of(parcel, self._outfit.return_path)},
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
            **{name: value for name, value in optional.items() if value},
        }


def _attachment(file: File) -> dict[str, Any]:
    shown = {"Name": file.filename, "Content": file.content, "ContentType": file.content_type}
    return shown if file.content_id is None else {**shown, "ContentID": f"cid:{file.content_id}"}


def _unless_left_out(ref: str, message: str, parcel: EmailParcel) -> Accepted | Rejected | None:
    """Postmark takes a message for the others when one of several recipients is inactive."""
    found = _LEFT_OUT.search(message)
    left_out = {one.strip().casefold() for one in found["addresses"].split(",")} if found else set()
    if recipients(parcel).to.address.casefold() in left_out:
        return Rejected(ErrorOwner.RECIPIENT, message, dead=True)
    return Accepted(ref, message) if ref else None

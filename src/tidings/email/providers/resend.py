"""Resend.

Request: https://resend.com/docs/api-reference/emails/send-email
Errors: https://resend.com/docs/api-reference/errors
"""

import re
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.email.letter import EmailParcel, File, parts_of
from tidings.email.providers.addressing import (
    further_headers,
    recipients,
    reference_of,
    sender_mailbox,
    subject_of,
)
from tidings.email.providers.configs import ResendConfig
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
from tidings.email.providers.http_errors import QUOTA_SECONDS
from tidings.email.providers.outfit import Outfit
from tidings.kit.email_headers import ascii_address

_BY_NAME = {
    "invalid_from_address": ErrorOwner.CREDENTIAL,
    "concurrent_idempotent_requests": ErrorOwner.AMBIGUOUS,
    "daily_quota_exceeded": ErrorOwner.THROTTLE,
    "monthly_quota_exceeded": ErrorOwner.THROTTLE,
}
_QUOTAS = {"daily_quota_exceeded", "monthly_quota_exceeded"}
_ALREADY_SENT = "invalid_idempotent_request"
_MAY_ONLY_SEND = "restricted_api_key"
_NAMES_THE_PERSON = re.compile(r"invalid `to`", re.IGNORECASE)
_VALIDATION = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


class ResendProvider(HttpProvider):
    """Sends a notification id once in 24 hours, however often it is asked to.

    Source: https://resend.com/docs/dashboard/emails/idempotency-keys
    """

    idempotent: ClassVar[bool] = True

    def __init__(self, name: str, config: ResendConfig, outfit: Outfit) -> None:
        super().__init__(
            name, outfit.session, url=config.url, seconds=config.seconds, secrets=(config.api_key,)
        )
        self._paths = outfit.return_path
        self._from = str(sender_mailbox(outfit.sender))
        self._headers = {**JSON, "Authorization": f"Bearer {config.api_key}"}

    def _request(self, parcel: EmailParcel) -> Request:
        headers = {**self._headers, "Idempotency-Key": str(parcel.message.notification_id)}
        return Request(self._url / "emails", headers, msgspec.json.encode(self._message(parcel)))

    def _judge(self, reply: Reply, _parcel: EmailParcel) -> Accepted | Rejected | None:
        members = in_json(reply.body)
        if reply.status == HTTPStatus.OK:
            ref = text_of(members, "id")
            return Accepted(ref) if ref else None
        name, message = text_of(members, "name"), text_of(members, "message")
        words = f"{name}: {message}"
        if name == _ALREADY_SENT:
            # The key is this notification's own: Resend has sent an earlier attempt at it, whose body
            # differed, for instance in the link to unsubscribe.
            return Accepted(None, f"An earlier attempt was sent. {words}")
        if name in _BY_NAME:
            return Rejected(_BY_NAME[name], words, wait=QUOTA_SECONDS if name in _QUOTAS else None)
        if reply.status in _VALIDATION and _NAMES_THE_PERSON.search(message):
            return Rejected(ErrorOwner.RECIPIENT, words)
        return None

    def _ping(self) -> Request:
        return Request(self._url / "domains", self._headers, method="GET")

    def _known_by_ping(self, reply: Reply) -> bool:
        return super()._known_by_ping(reply) or text_of(in_json(reply.body), "name") == _MAY_ONLY_SEND

    def _message(self, parcel: EmailParcel) -> dict[str, Any]:
        whom, email, parts = recipients(parcel), parcel.content.email, parts_of(parcel)
        optional = {
            "cc": whom.cc,
            "bcc": whom.bcc,
            "reply_to": ascii_address(parts.reply_to) if parts.reply_to else None,
            "text": email.text,
            "html": email.html,
            "headers": further_headers(parcel),
            "attachments": [_attachment(file) for file in parcel.content.files],
        }
        return {
            "from": self._from,
            "to": [str(whom.to)],
            "subject": subject_of(parcel),
            "tags": [{"name": "notification_id", "value": reference_of(parcel, self._paths)}],
            **{name: value for name, value in optional.items() if value},
        }


def _attachment(file: File) -> dict[str, Any]:
    shown = {"filename": file.filename, "content": file.content, "content_type": file.content_type}
    return shown if file.content_id is None else {**shown, "content_id": file.content_id}

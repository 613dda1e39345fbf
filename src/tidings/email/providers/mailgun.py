"""Mailgun, with the whole email as MIME.

Request: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
Errors: https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
"""

import re
from base64 import b64encode
from http import HTTPStatus
from urllib.parse import quote

from tidings.contracts.codes import ErrorOwner
from tidings.email.letter import EmailParcel
from tidings.email.providers.addressing import recipients, reference_of
from tidings.email.providers.configs import MailgunConfig
from tidings.email.providers.http_api import (
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

_BAD_ADDRESS = re.compile(r"'?\bto\b'? parameter is not a valid address", re.IGNORECASE)
_LIMIT = re.compile(r"limit exceeded|try again", re.IGNORECASE)
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}


class MailgunProvider(HttpProvider):
    """Takes raw MIME: `Message-ID`, inline images by their content id and our DKIM signature stay ours.

    The other endpoint, with one field per part, names inline images after their files.
    """

    def __init__(self, name: str, config: MailgunConfig, outfit: Outfit) -> None:
        login = b64encode(f"api:{config.api_key}".encode()).decode()
        super().__init__(
            name, outfit.session, url=config.url, seconds=config.seconds, secrets=(config.api_key, login)
        )
        self._mime = outfit.mime
        self._paths = outfit.return_path
        self._messages = self._url.joinpath(
            "v3", quote(config.domain, safe=""), "messages.mime", encoded=True
        )
        self._headers = {"Accept": "application/json", "Authorization": f"Basic {login}"}

    def _request(self, parcel: EmailParcel) -> Request:
        boundary = f"=_form_{parcel.message.notification_id.hex}"
        to = ", ".join(recipients(parcel).addresses)
        body = b"".join(
            (
                _field(boundary, "to", to),
                _field(boundary, "v:notification_id", reference_of(parcel, self._paths)),
                f"--{boundary}\r\n"
                'Content-Disposition: form-data; name="message"; filename="message.mime"\r\n'
                "Content-Type: message/rfc822\r\n\r\n".encode(),
                self._mime.build(parcel),
                f"\r\n--{boundary}--\r\n".encode(),
            )
        )
        kind = f'multipart/form-data; boundary="{boundary}"'
        return Request(self._messages, {**self._headers, "Content-Type": kind}, body)

    def _judge(self, reply: Reply, parcel: EmailParcel) -> Accepted | Rejected | None:
        members = in_json(reply.body)
        message = text_of(members, "message")
        if reply.status == HTTPStatus.OK:
            ref = text_of(members, "id").strip("<>")  # as its events name it
            return Accepted(ref, message) if ref else None
        if reply.status not in _REFUSALS or not message:
            return None
        if _LIMIT.search(message):
            return Rejected(ErrorOwner.THROTTLE, message, wait=QUOTA_SECONDS)
        if _BAD_ADDRESS.search(message) and recipients(parcel).only_one:
            return Rejected(ErrorOwner.RECIPIENT, message)
        return None

    def _ping(self) -> Request:
        # A sending key may not read anything, so this asks to send nothing.
        return Request(self._messages, self._headers)

    def _known_by_ping(self, reply: Reply) -> bool:
        return reply.status == HTTPStatus.BAD_REQUEST  # the key is right, and `to` is missing


def _field(boundary: str, name: str, value: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()

"""Amazon SES, API v2, with the whole email as MIME.

Request: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
Errors common to all of AWS: https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
"""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.email.letter import EmailParcel
from tidings.email.mime import MimeBuilder
from tidings.email.providers.addressing import recipients, reference_of
from tidings.email.providers.configs import SesConfig
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
from tidings.email.providers.sigv4 import AwsKey, Scope, sign
from tidings.kit.ids import now

_BY_CODE = {
    "AccountSuspendedException": ErrorOwner.CREDENTIAL,
    "SendingPausedException": ErrorOwner.CREDENTIAL,
    "MailFromDomainNotVerifiedException": ErrorOwner.CREDENTIAL,
    "NotFoundException": ErrorOwner.CREDENTIAL,
    "RequestExpired": ErrorOwner.CREDENTIAL,
    "ExpiredTokenException": ErrorOwner.CREDENTIAL,
    "MissingAuthenticationToken": ErrorOwner.CREDENTIAL,
    "TooManyRequestsException": ErrorOwner.THROTTLE,
    "ThrottlingException": ErrorOwner.THROTTLE,
    "LimitExceededException": ErrorOwner.THROTTLE,
    "MessageRejected": ErrorOwner.CONTENT,
    "BadRequestException": ErrorOwner.CONTENT,
}
_NOT_VERIFIED = re.compile(r"not verified", re.IGNORECASE)
_DAILY_QUOTA = re.compile(r"quota", re.IGNORECASE)
_NAMES_AN_ADDRESS = re.compile(
    r"illegal address|missing final '@domain'|(local address|domain) (contains|starts|ends)", re.IGNORECASE
)
_ACCESS_DENIED = "AccessDeniedException"


class SesProvider(HttpProvider):
    """Takes raw MIME, so that headers, inline images and names are ours to the letter.

    SES puts a Message-ID and a Date of its own in place of ours, which would break a signature over
    them: our DKIM key is left out, and SES signs with the one set up for the domain (Easy DKIM or BYODKIM).
    """

    def __init__(self, name: str, config: SesConfig, outfit: Outfit) -> None:
        secrets = (config.secret_access_key, config.access_key_id)
        super().__init__(
            name,
            outfit.session,
            url=config.url or f"https://email.{config.region}.amazonaws.com",
            seconds=config.seconds,
            secrets=(*secrets, config.session_token) if config.session_token else secrets,
        )
        self._mime = MimeBuilder(outfit.sender)
        self._paths = outfit.return_path
        self._configuration_set = config.configuration_set
        self._key = AwsKey(config.access_key_id, config.secret_access_key, config.session_token)
        self._scope = Scope(config.region, "ses")

    def _request(self, parcel: EmailParcel) -> Request:
        whom = recipients(parcel)
        message: dict[str, Any] = {
            "Destination": {
                "ToAddresses": [whom.to.address],
                "CcAddresses": whom.cc,
                "BccAddresses": whom.bcc,
            },
            "Content": {"Raw": {"Data": self._mime.build(parcel)}},
            "EmailTags": [{"Name": "notification_id", "Value": reference_of(parcel, self._paths)}],
        }
        if self._configuration_set is not None:
            message["ConfigurationSetName"] = self._configuration_set
        return self._signed("POST", "v2/email/outbound-emails", msgspec.json.encode(message))

    def _judge(self, reply: Reply, parcel: EmailParcel) -> Accepted | Rejected | None:
        members = in_json(reply.body)
        if reply.status == HTTPStatus.OK:
            ref = text_of(members, "MessageId")
            return Accepted(ref) if ref else None
        code, message = _code(reply), text_of(members, "message") or text_of(members, "Message")
        owner = _BY_CODE.get(code)
        if owner is None:
            return None
        words = f"{code}: {message}"
        if owner is ErrorOwner.THROTTLE:
            spent = code == "LimitExceededException" or _DAILY_QUOTA.search(message)
            return Rejected(owner, words, wait=QUOTA_SECONDS if spent else None)
        if _NOT_VERIFIED.search(message):
            owner = ErrorOwner.CREDENTIAL
        elif _NAMES_AN_ADDRESS.search(message) and recipients(parcel).only_one:
            owner = ErrorOwner.RECIPIENT
        return Rejected(owner, words)

    def _ping(self) -> Request:
        return self._signed("GET", "v2/email/account", b"")

    def _known_by_ping(self, reply: Reply) -> bool:
        # A key that may only send is known all the same: its signature is checked first.
        return super()._known_by_ping(reply) or _code(reply) == _ACCESS_DENIED

    def _signed(self, method: str, path: str, body: bytes) -> Request:
        url = self._url / path
        headers = sign(method, url, JSON, body, key=self._key, scope=self._scope, at=now())
        return Request(url, headers, body, method)


def _code(reply: Reply) -> str:
    """`Code`, `Code:http://...` in the header, `prefix#Code` in the body: all three are in use."""
    members = in_json(reply.body)
    written = reply.headers.get("x-amzn-ErrorType") or text_of(members, "__type") or text_of(members, "code")
    return written.partition(":")[0].rpartition("#")[2]

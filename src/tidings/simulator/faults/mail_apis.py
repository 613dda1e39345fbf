"""Faults of the email providers' HTTP APIs."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.simulator.faults.base import BaseFault

Status = Annotated[int, Meta(ge=400, le=599, description="answer with this and the provider's own body")]

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
SesError = Literal[
    "AccountSuspendedException",
    "BadRequestException",
    "LimitExceededException",
    "MailFromDomainNotVerifiedException",
    "MessageRejected",
    "NotFoundException",
    "SendingPausedException",
    "TooManyRequestsException",
    "InternalServiceErrorException",
    "ServiceUnavailableException",
]

# https://resend.com/docs/api-reference/errors
ResendError = Literal[
    "application_error",
    "concurrent_idempotent_requests",
    "daily_quota_exceeded",
    "internal_server_error",
    "invalid_api_key",
    "invalid_attachment",
    "invalid_from_address",
    "missing_required_field",
    "monthly_quota_exceeded",
    "rate_limit_exceeded",
    "restricted_api_key",
    "security_error",
    "validation_error",
]


class MailApiFault(BaseFault, frozen=True, kw_only=True):
    """A fault of an HTTP API that takes email.

    `malformed_answer` and `slow_answer_s` come after the email was taken. A slow answer arrives byte
    by byte from its status line on, so no single wait of the client's for data is long.
    """

    status: Status | None = None
    retry_after: Annotated[int, Meta(ge=0, description="seconds in the header Retry-After")] | None = None
    malformed_answer: Annotated[bool, Meta(description="take the email, then answer broken JSON")] = False
    slow_answer_s: Annotated[
        float, Meta(ge=0, le=600, description="take the email, then answer byte by byte for so many seconds")
    ] = 0.0

    def __post_init__(self) -> None:
        self.check_effects("status", self.status, others=self.malformed_answer or bool(self.slow_answer_s))
        if self.retry_after is not None and self.status is None:
            raise ValueError("`retry_after` needs `status`")
        lost = self.status is not None or self.drop_connection or self.drop_response
        if lost and (self.malformed_answer or self.slow_answer_s):
            raise ValueError("`malformed_answer` and `slow_answer_s` need an answer that accepts the email")


class SendGridFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="sendgrid"):
    """A fault of SendGrid's mail send."""


class SesFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="ses"):
    """A fault of SES. `error` names the exception where a status has several."""

    error: SesError | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_status(self.status, self.error)


class PostmarkFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="postmark"):
    """A fault of Postmark. `error` is its ErrorCode, such as 406 for an inactive recipient."""

    error: Annotated[int, Meta(ge=0, le=9999)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_status(self.status, self.error)


class MailgunFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="mailgun"):
    """A fault of Mailgun's messages."""


class ResendFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="resend"):
    """A fault of Resend. `error` is the name of the error where a status has several."""

    error: ResendError | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_status(self.status, self.error)


def _needs_status(status: int | None, error: object) -> None:
    if error is not None and status is None:
        raise ValueError("`error` needs `status`")

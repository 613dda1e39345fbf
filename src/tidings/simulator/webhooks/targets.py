"""Where events go, and the secrets they are signed with."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

WebhookProvider = Literal["sendgrid", "ses", "postmark", "mailgun", "resend"]
Url = Annotated[str, Meta(pattern=r"^https?://[^/\s]+\S*$", max_length=2000, description="where events go")]
TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:tidings-simulator"


class _Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="provider"):
    url: Url


class SendGridTarget(_Target, frozen=True, kw_only=True, tag="sendgrid"):
    """SendGrid's events, signed with the simulator's key; `GET /api/webhooks/keys` has its public half."""


class SesTarget(_Target, frozen=True, kw_only=True, tag="ses"):
    """SES's events through an SNS topic. They begin once the subscription is confirmed."""

    topic_arn: Annotated[str, Meta(pattern=r"^arn:aws:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$")] = (
        TOPIC_ARN
    )


class PostmarkTarget(_Target, frozen=True, kw_only=True, tag="postmark"):
    """Postmark's events; it signs nothing, and sends basic authentication if told to."""

    username: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` belong together")


class MailgunTarget(_Target, frozen=True, kw_only=True, tag="mailgun"):
    """Mailgun's events, signed with the account's HTTP webhook signing key."""

    signing_key: Annotated[str, Meta(min_length=1)]


class ResendTarget(_Target, frozen=True, kw_only=True, tag="resend"):
    """Resend's events, signed with the endpoint's secret (`whsec_` and base64)."""

    secret: Annotated[str, Meta(pattern=r"^whsec_[A-Za-z0-9+/]+={0,2}$")]


Target = SendGridTarget | SesTarget | PostmarkTarget | MailgunTarget | ResendTarget


def provider_of(target: Target) -> WebhookProvider:
    """The provider whose events go to `target`."""
    match target:
        case SendGridTarget():
            return "sendgrid"
        case SesTarget():
            return "ses"
        case PostmarkTarget():
            return "postmark"
        case MailgunTarget():
            return "mailgun"
        case ResendTarget():
            return "resend"

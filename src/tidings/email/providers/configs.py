"""What the providers file may say about each kind of email provider."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.providers_file import ProviderConfig

Secret = Annotated[str, Meta(min_length=1, max_length=10_000)]
Url = Annotated[str, Meta(pattern=r"^https?://[^/]")]


class SmtpConfig(ProviderConfig, frozen=True, kw_only=True, tag="smtp"):
    """Any relay or mailbox provider. A `preset` gives host, port and TLS; what is said beside it wins.

    `tls`: `starttls` is required once it is named, `implicit` is port 465, `none` is only for a server
    on this machine. XOAUTH2 wants `username`, the `oauth_*` fields, and no `password`.
    `data_seconds` limits the answer to a message: a short one makes duplicates (RFC 5321, 4.5.3.2.6).
    """

    preset: Literal["gmail", "ses", "postmark", "mailgun"] | None = None
    region: str = "us-east-1"
    """For the preset `ses`, and `eu` for an account of Mailgun's in Europe."""
    host: str | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    tls: Literal["none", "starttls", "implicit"] | None = None
    ca_file: str | None = None
    """Certificates to trust in place of the system's."""
    username: str | None = None
    password: Secret | None = None
    auth: Literal["plain", "login", "xoauth2"] | None = None
    oauth_token_url: Url | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: Secret | None = None
    oauth_refresh_token: Secret | None = None
    connections: Annotated[int, Meta(ge=1, le=500)] = 20
    data_seconds: Annotated[float, Meta(gt=0)] = 600.0


class SendGridConfig(ProviderConfig, frozen=True, kw_only=True, tag="sendgrid"):
    """Twilio SendGrid, v3 mail send. `webhook_public_key` verifies its signed events (base64 DER)."""

    api_key: Secret
    url: Url = "https://api.sendgrid.com"
    webhook_public_key: str | None = None


class SesConfig(ProviderConfig, frozen=True, kw_only=True, tag="ses"):
    """Amazon SES, API v2. Events come through the SNS topic `topic_arn`.

    `url` and `certificate_url_prefix` are for stand-ins; without them they are Amazon's own addresses.
    """

    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")]
    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None
    configuration_set: str | None = None
    url: Url | None = None
    topic_arn: str | None = None
    certificate_url_prefix: Url | None = None


class PostmarkConfig(ProviderConfig, frozen=True, kw_only=True, tag="postmark"):
    """Postmark. It does not sign events: they come with a user and a password in the webhook's URL."""

    server_token: Secret
    message_stream: str = "outbound"
    url: Url = "https://api.postmarkapp.com"
    webhook_username: str | None = None
    webhook_password: Secret | None = None


class MailgunConfig(ProviderConfig, frozen=True, kw_only=True, tag="mailgun"):
    """Mailgun. Accounts in Europe have the url https://api.eu.mailgun.net."""

    domain: str
    api_key: Secret
    url: Url = "https://api.mailgun.net"
    webhook_signing_key: Secret | None = None


class ResendConfig(ProviderConfig, frozen=True, kw_only=True, tag="resend"):
    """Resend. `webhook_secret` is the endpoint's, and begins with whsec_."""

    api_key: Secret
    url: Url = "https://api.resend.com"
    webhook_secret: Secret | None = None


class ConsoleConfig(ProviderConfig, frozen=True, kw_only=True, tag="console"):
    """A dry run: every email is printed, and none is sent."""


EmailProviderConfig = (
    SmtpConfig | SendGridConfig | SesConfig | PostmarkConfig | MailgunConfig | ResendConfig | ConsoleConfig
)

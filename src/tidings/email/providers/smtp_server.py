"""Which server an SMTP provider talks to, and what it must not do there."""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

from tidings.email.providers.configs import SmtpConfig
from tidings.kit.settings import SettingsError

Tls = Literal["none", "starttls", "implicit"]

IMPLICIT_TLS_PORT: Final = 465
SUBMISSION_PORT: Final = 587

PRESETS: Final[dict[str, str]] = {
    # https://support.google.com/a/answer/176600
    "gmail": "smtp.gmail.com",
    # https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html
    "ses": "email-smtp.{region}.amazonaws.com",
    # https://postmarkapp.com/developer/user-guide/send-email-with-smtp
    "postmark": "smtp.postmarkapp.com",
    # https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp
    "mailgun": "smtp.mailgun.org",
    "mailgun eu": "smtp.eu.mailgun.org",
}
"""Hosts; all of them take STARTTLS on port 587."""

# https://developers.google.com/identity/protocols/oauth2/web-server#offline
GOOGLE_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server. `context` verifies its certificate; None where nothing is encrypted."""

    host: str
    port: int
    tls: Tls
    context: ssl.SSLContext | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def server_of(name: str, config: SmtpConfig) -> Server:
    """The server that the provider `name` talks to.

    Raises:
        SettingsError: there is no host, the certificates cannot be read, or a password would go out
            unencrypted to another machine.
    """
    eu = " eu" if config.preset == "mailgun" and config.region.startswith("eu") else ""
    host = config.host or PRESETS.get(f"{config.preset}{eu}", "").format(region=config.region)
    if not _is_name(host):
        raise SettingsError(
            f"The provider `{name}` has no server: give it a `host`, for example smtp.example.com, "
            f"or a `preset` (gmail, ses, postmark, mailgun){f'; {host} is no name of one' if host else ''}"
        )
    tls = config.tls or _usual_tls(host, config)
    if tls == "none" and config.username and not is_loopback(host):
        raise SettingsError(
            f"The provider `{name}` would send its password unencrypted to {host}: set `tls` to `starttls` "
            f"or, for port {IMPLICIT_TLS_PORT}, to `implicit`"
        )
    port = config.port or (IMPLICIT_TLS_PORT if tls == "implicit" else SUBMISSION_PORT)
    return Server(host, port, tls, None if tls == "none" else _context(name, config.ca_file))


def is_loopback(host: str) -> bool:
    """Whether what is sent there never leaves this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_name(host: str) -> bool:
    try:
        return bool(host.encode("idna")) and not host.startswith(".")
    except UnicodeError:
        return False


def _usual_tls(host: str, config: SmtpConfig) -> Tls:
    if config.port == IMPLICIT_TLS_PORT:
        return "implicit"
    return "none" if is_loopback(host) else "starttls"


def _context(name: str, ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(
            f"The provider `{name}` cannot read its `ca_file` {ca_file} as certificates (PEM): {error}"
        ) from error

"""Settings of the email service."""

from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.providers_file import Providers, in_order, read_providers
from tidings.delivery.settings import ChannelSettings
from tidings.email.dkim import DkimSigner
from tidings.email.providers.configs import EmailProviderConfig, SmtpConfig
from tidings.kit.settings import SettingsError


class EmailSettings(ChannelSettings, frozen=True, kw_only=True):
    """Where email goes out, and as whom. One SMTP server needs no providers file."""

    gateway_url: Annotated[
        str,
        Meta(
            description="the gateway as services reach it: it keeps the attachments",
            examples=["http://gateway:8000"],
        ),
    ] = "http://127.0.0.1:8000"
    sender: Annotated[
        str,
        Meta(
            pattern="@", description="the From of every email", examples=["Example <hello@mail.example.com>"]
        ),
    ]
    providers_file: (
        Annotated[
            str,
            Meta(
                description="a TOML file of several providers, in place of the one SMTP server",
                examples=["/etc/tidings/email-providers.toml"],
            ),
        ]
        | None
    ) = None
    smtp_host: Annotated[str, Meta(description="the SMTP server", examples=["smtp.example.com"])] | None = (
        None
    )
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="its port", examples=["587"])] = 587
    smtp_tls: Annotated[
        Literal["none", "starttls", "implicit"],
        Meta(
            description="none only for a server on this machine; implicit is port 465", examples=["starttls"]
        ),
    ] = "starttls"
    smtp_username: (
        Annotated[str, Meta(description="login, where the server wants one", examples=["apikey"])] | None
    ) = None
    smtp_password: (
        Annotated[str, Meta(description="its password", examples=["from your provider's console"])] | None
    ) = None
    dkim_key_file: (
        Annotated[
            str,
            Meta(
                description="a private key (PEM, RSA or Ed25519): every email is signed with it",
                examples=["/run/secrets/dkim.pem"],
            ),
        ]
        | None
    ) = None
    dkim_selector: Annotated[
        str, Meta(description="the name of its public key in the DNS", examples=["tidings"])
    ] = "tidings"
    dkim_domain: (
        Annotated[str, Meta(description="the domain that signs; else the sender's", examples=["example.com"])]
        | None
    ) = None
    bounce_domain: (
        Annotated[
            str,
            Meta(
                description="a domain whose MX is the bounce mailbox: each email gets a return path there",
                examples=["bounces.example.com"],
            ),
        ]
        | None
    ) = None
    bounce_port: (
        Annotated[
            int, Meta(ge=1, le=65535, description="where the bounce mailbox listens", examples=["2525"])
        ]
        | None
    ) = None
    attachment_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="host:port of internal servers that attachments may be fetched from; the public "
            "internet always may",
            examples=["files.internal:8080"],
        ),
    ] = ()

    def providers(self) -> Providers:
        """The ways out: those of the providers file, else the one SMTP server.

        Raises:
            SettingsError: there is neither, or the file is malformed.
        """
        if self.providers_file is not None:
            return read_providers(Path(self.providers_file), EmailProviderConfig)
        if self.smtp_host is None:
            raise SettingsError(
                "The email service cannot start.\n  TIDINGS_EMAIL_SMTP_HOST is not set: the SMTP server, "
                "for example smtp.example.com; or name several providers in TIDINGS_EMAIL_PROVIDERS_FILE"
            )
        server = SmtpConfig(
            host=self.smtp_host,
            port=self.smtp_port,
            tls=self.smtp_tls,
            username=self.smtp_username,
            password=self.smtp_password,
        )
        return in_order({"smtp": server})

    def dkim(self) -> DkimSigner | None:
        """What signs every email, where there is a key.

        Raises:
            SettingsError: the key cannot be read or used.
        """
        if self.dkim_key_file is None:
            return None
        try:
            key = Path(self.dkim_key_file).read_bytes()
        except OSError as error:
            raise SettingsError(f"TIDINGS_EMAIL_DKIM_KEY_FILE cannot be read: {error}") from error
        domain = self.dkim_domain or parseaddr(self.sender)[1].rpartition("@")[2]
        return DkimSigner(domain=domain, selector=self.dkim_selector, key_pem=key)

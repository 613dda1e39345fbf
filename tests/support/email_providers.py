"""Every way out that has a server at its other end, ready to be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import msgspec

from support.parcels import new_message, parcel_of
from tidings.contracts.codes import Channel
from tidings.contracts.messages import EmailParts
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.outcome import Answer, Refused
from tidings.delivery.providers_file import ProviderConfig, in_order
from tidings.email.dkim import DkimSigner
from tidings.email.letter import EmailParcel, EmailProvider, File, Letter
from tidings.email.mime import MimeBuilder
from tidings.email.providers import make_providers
from tidings.email.providers.configs import (
    MailgunConfig,
    PostmarkConfig,
    ResendConfig,
    SendGridConfig,
    SesConfig,
    SmtpConfig,
)
from tidings.email.providers.outfit import Outfit
from tidings.email.return_path import ReturnPath

SENDER = "Tidings <hello@mail.example.com>"
PATHS = ReturnPath("x" * 32, None, "hello@mail.example.com")
KEY = "simulator-key"
SECRET = "simulator-secret"
HTTP_KINDS = ("sendgrid", "ses", "postmark", "mailgun", "resend")
KINDS = ("smtp", *HTTP_KINDS)


def config_of(
    kind: str, *, url: str = "http://127.0.0.1", smtp_port: int = 25, **changed: object
) -> ProviderConfig:
    """The config of a provider at `url`, or for SMTP at a port of this machine."""
    configs: dict[str, ProviderConfig] = {
        "smtp": SmtpConfig(host="127.0.0.1", port=smtp_port, tls="none"),
        "sendgrid": SendGridConfig(url=url, api_key=KEY),
        "ses": SesConfig(
            url=url, region="eu-west-1", access_key_id="AKIASIMULATOR0000000", secret_access_key=SECRET
        ),
        "postmark": PostmarkConfig(url=url, server_token=KEY),
        "mailgun": MailgunConfig(url=url, domain="mail.example.com", api_key=KEY),
        "resend": ResendConfig(url=url, api_key=KEY),
    }
    return msgspec.structs.replace(configs[kind], **changed)


def with_wrong_credentials(kind: str, config: ProviderConfig) -> ProviderConfig:
    """The same provider, with a key that is not ours."""
    field = {"ses": "secret_access_key", "postmark": "server_token"}.get(kind, "api_key")
    return msgspec.structs.replace(config, **{field: "wrong-key-0123456789"})


def parcel(
    to: str = "ada@example.com",
    parts: EmailParts | None = None,
    *,
    name: str = "Ada",
    files: tuple[File, ...] = (),
) -> EmailParcel:
    """An email to Ada with text and html, that she can unsubscribe from."""
    content = RenderedEmail(subject="Grüße 你好", text="Grüße", html='<p>Grüße <img src="cid:logo"></p>')
    message = new_message(Channel.EMAIL, email=parts)
    addressed = parcel_of(message, Letter(content, files), to)
    contact = msgspec.structs.replace(addressed.contact, name=name)
    return replace(addressed, contact=contact, unsubscribe_url="https://example.com/u/token")


@dataclass
class Sending:
    """One provider, and how often it asked for a claim."""

    provider: EmailProvider
    claims: int = 0

    async def send(self, one: EmailParcel | None = None) -> Answer:
        return await self.provider.send(one or parcel(), self._claim)

    async def refused(self, one: EmailParcel | None = None) -> Refused:
        """The refusal of a send that is known to fail; its words can be reported, and hold no secret."""
        answer = await self.send(one)
        assert isinstance(answer, Refused), answer
        assert msgspec.json.encode(answer.detail)
        assert KEY not in answer.detail
        assert SECRET not in answer.detail
        assert len(answer.detail) <= 900
        assert "\x00" not in answer.detail
        return answer

    async def _claim(self) -> None:
        self.claims += 1


@asynccontextmanager
async def sending(config: ProviderConfig, dkim: DkimSigner | None = None) -> AsyncIterator[Sending]:
    """A provider with this config, on a session of its own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        outfit = Outfit(SENDER, MimeBuilder(SENDER, dkim), PATHS, session)
        [provider] = make_providers(in_order({"main": config}), outfit)
        yield Sending(provider)
        await provider.close()

"""The ways email can leave. A new provider is one file here and one line below."""

from collections.abc import Callable

from tidings.contracts.templates import RenderedEmail
from tidings.delivery.channel import Provider
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.settings import EmailSettings

EmailProvider = Provider[RenderedEmail, str]

PROVIDERS: dict[str, Callable[[EmailSettings], EmailProvider]] = {
    "smtp": SmtpProvider,
}

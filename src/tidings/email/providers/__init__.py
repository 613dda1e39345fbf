"""The ways email can leave. A new provider is one file here, its config beside it, and one line below."""

from collections.abc import Sequence
from typing import Any

from tidings.delivery.providers_file import ProviderConfig, Providers
from tidings.email.letter import EmailProvider
from tidings.email.providers import configs
from tidings.email.providers.console import ConsoleProvider
from tidings.email.providers.mailgun import MailgunProvider
from tidings.email.providers.outfit import Outfit
from tidings.email.providers.postmark import PostmarkProvider
from tidings.email.providers.resend import ResendProvider
from tidings.email.providers.sendgrid import SendGridProvider
from tidings.email.providers.ses import SesProvider
from tidings.email.providers.smtp import SmtpProvider

KINDS: dict[type[ProviderConfig], Any] = {
    configs.SmtpConfig: SmtpProvider,
    configs.SendGridConfig: SendGridProvider,
    configs.SesConfig: SesProvider,
    configs.PostmarkConfig: PostmarkProvider,
    configs.MailgunConfig: MailgunProvider,
    configs.ResendConfig: ResendProvider,
    configs.ConsoleConfig: ConsoleProvider,
}


def make_providers(file: Providers, outfit: Outfit) -> Sequence[EmailProvider]:
    """The providers of a providers file, in its order.

    Raises:
        SettingsError: one lacks what its kind needs.
    """
    return [KINDS[type(config)](name, config, outfit) for name, config in file.configs.items()]

"""The email service, put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.utils import parseaddr
from functools import partial
from urllib.parse import urlsplit

from litestar import Router
from litestar.di import NamedDependency, Provide

from tidings.client.attachments import AttachmentsClient
from tidings.client.http import ServiceHttp
from tidings.delivery.providers_file import Providers
from tidings.delivery.worker import Beside, Collaborators, MakeChannel, Works, run_channel
from tidings.email.attachments import Attachments
from tidings.email.bounces.mailbox import bounce_mailbox
from tidings.email.channel import EmailChannel
from tidings.email.mime import MimeBuilder, ascii_address
from tidings.email.providers import make_providers
from tidings.email.providers.configs import SesConfig
from tidings.email.providers.outfit import Outfit
from tidings.email.receipts.consumer import consuming_receipts
from tidings.email.receipts.publishing import receipts_publisher
from tidings.email.receipts.webhook import Webhook
from tidings.email.receipts.webhooks import Webhooks, open_webhooks, webhook_routes
from tidings.email.return_path import ReturnPath
from tidings.email.sandbox import SandboxProvider
from tidings.email.settings import EmailSettings
from tidings.email.trial import send_test_email
from tidings.kit.auth import ServiceTokens
from tidings.kit.outbound import Outbound, open_outbound
from tidings.kit.service import run_process
from tidings.rendering import Renderer

ATTACHMENT_SECONDS = 10.0


def main() -> None:
    """Run the email service as the environment configures it."""
    run_process("email", EmailSettings, run)


async def run(settings: EmailSettings) -> None:
    """Run until told to stop."""
    providers = settings.providers()
    async with open_files(settings, providers) as outbound:
        webhooks = open_webhooks(providers.configs, outbound, _return_path(settings))
        await run_channel(
            "email",
            settings,
            providers,
            channel_maker(settings, providers, outbound),
            routes=[send_test_email, _webhooks(webhooks)],
            beside=companions(settings),
        )


def open_files(settings: EmailSettings, providers: Providers) -> AbstractAsyncContextManager[Outbound]:
    """What fetches attachments, and Amazon's certificates: the public internet, and what is allowed."""
    stand_ins = {
        urlsplit(config.certificate_url_prefix).netloc
        for config in providers.configs.values()
        if isinstance(config, SesConfig) and config.certificate_url_prefix
    }
    return open_outbound(allow=frozenset(settings.attachment_hosts) | stand_ins)


def channel_maker(settings: EmailSettings, providers: Providers, outbound: Outbound) -> MakeChannel:
    """What makes the channel from its collaborators."""
    mime = MimeBuilder(settings.sender, settings.dkim())
    tokens = ServiceTokens("email", settings.service_secret)

    def make(given: Collaborators) -> EmailChannel:
        gateway = ServiceHttp(
            given.session, settings.gateway_url, partial(tokens.sign, "gateway"), seconds=ATTACHMENT_SECONDS
        )
        outfit = Outfit(settings.sender, mime, _return_path(settings), given.session)
        return EmailChannel(
            Renderer(),
            make_providers(providers, outfit),
            SandboxProvider(receipts_publisher(given.broker)),
            Attachments(outbound, AttachmentsClient(gateway).fetch),
            given.users,
        )

    return make


def companions(settings: EmailSettings) -> Sequence[Beside]:
    """What runs beside the consumption: receipts are applied, and bounces taken where there is a mailbox."""
    with_mailbox = settings.bounce_port is not None and settings.bounce_domain is not None
    applying = partial(_applying_receipts, settings)
    return [applying, partial(_taking_bounces, settings)] if with_mailbox else [applying]


def _applying_receipts(settings: EmailSettings, works: Works) -> AbstractAsyncContextManager[None]:
    given = works.collaborators
    return consuming_receipts(
        given.broker,
        redis=given.redis,
        users=given.users,
        ledger=given.ledger,
        reporter=given.reporter,
        limit=settings.shutdown_seconds,
    )


@asynccontextmanager
async def _taking_bounces(settings: EmailSettings, works: Works) -> AsyncIterator[None]:
    publish = receipts_publisher(works.collaborators.broker)
    port, domain = settings.bounce_port or 0, settings.bounce_domain or ""
    async with bounce_mailbox(
        _return_path(settings), publish, host=settings.host, port=port, hostname=domain
    ):
        yield


def _return_path(settings: EmailSettings) -> ReturnPath:
    sender = ascii_address(parseaddr(settings.sender)[1])
    return ReturnPath(settings.service_secret, settings.bounce_domain, sender)


def _webhooks(by_name: dict[str, Webhook]) -> Router:
    def webhooks(works: NamedDependency[Works]) -> Webhooks:
        return Webhooks(by_name, receipts_publisher(works.collaborators.broker))

    provide = Provide(webhooks, sync_to_thread=False, use_cache=True)
    return Router(path="/", route_handlers=webhook_routes(), dependencies={"webhooks": provide})

"""The push service, put together."""

from contextlib import AbstractAsyncContextManager
from functools import partial
from uuid import UUID

from tidings.client.links import engagement_path
from tidings.delivery.providers_file import Providers
from tidings.delivery.worker import Collaborators, Works, run_channel
from tidings.kit.broker.port import Broker
from tidings.kit.ids import now
from tidings.kit.outbound import open_outbound
from tidings.kit.service import run_process
from tidings.push.browser.routes import routes
from tidings.push.channel import PushChannel
from tidings.push.keys import base64url, public_point
from tidings.push.providers import make_providers, make_receipts, receipt_givers
from tidings.push.providers.configs import WebPushConfig
from tidings.push.providers.fcm import FcmProvider
from tidings.push.providers.outfit import PushOutfit, ReportUrl
from tidings.push.providers.webpush.provider import private_key
from tidings.push.receipts.consumer import consuming_tickets
from tidings.push.receipts.publishing import Tickets
from tidings.push.settings import PushSettings
from tidings.rendering import Renderer


def main() -> None:
    """Run the push service as the environment configures it."""
    run_process("push", PushSettings, run)


async def run(settings: PushSettings) -> None:
    """Run until told to stop."""
    providers = settings.providers()
    hosts, connections = frozenset(settings.webpush_hosts), settings.all_places
    async with open_outbound(allow=hosts, connections=connections) as outbound:

        def make_channel(collaborators: Collaborators) -> PushChannel:
            outfit = PushOutfit(collaborators.session, outbound, _report_url(settings))
            made = make_providers(providers, outfit)
            for provider in made:
                if isinstance(provider, FcmProvider):
                    provider.look_for_key()
            tickets = _tickets(settings, providers, collaborators.broker)
            return PushChannel(Renderer(), made, collaborators.users, tickets, settings.remedy)

        await run_channel(
            "push",
            settings,
            providers,
            make_channel,
            routes=routes(public_key(providers)),
            beside=[partial(_asking_for_receipts, settings, providers)],
        )


def public_key(providers: Providers) -> str | None:
    """What browsers subscribe with: the VAPID key of the first Web Push provider, if there is one."""
    for name, config in providers.configs.items():
        if isinstance(config, WebPushConfig):
            return base64url(public_point(private_key(name, config).public_key()))
    return None


def _tickets(settings: PushSettings, providers: Providers, broker: Broker) -> Tickets:
    return Tickets(broker, receipt_givers(providers), settings.receipt_seconds)


def _asking_for_receipts(
    settings: PushSettings, providers: Providers, works: Works
) -> AbstractAsyncContextManager[None]:
    given = works.collaborators
    return consuming_tickets(
        given.broker,
        make_receipts(providers, given.session),
        tickets=_tickets(settings, providers, given.broker),
        users=given.users,
        reporter=given.reporter,
        limit=settings.shutdown_seconds,
    )


def _report_url(settings: PushSettings) -> ReportUrl:
    base = settings.public_url.rstrip("/")

    def url(notification_id: UUID, device_id: UUID) -> str:
        return base + engagement_path(settings.service_secret, notification_id, device_id, at=now())

    return url

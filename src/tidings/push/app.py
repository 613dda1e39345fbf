"""The push service, put together."""

from uuid import UUID

from tidings.client.links import engagement_path
from tidings.delivery.providers_file import Providers
from tidings.delivery.worker import Collaborators, run_channel
from tidings.kit.ids import now
from tidings.kit.outbound import open_outbound
from tidings.kit.service import run_process
from tidings.push.browser.routes import routes
from tidings.push.channel import PushChannel
from tidings.push.keys import base64url, public_point
from tidings.push.providers import make_providers
from tidings.push.providers.configs import WebPushConfig
from tidings.push.providers.outfit import PushOutfit, ReportUrl
from tidings.push.providers.webpush.provider import private_key
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
            return PushChannel(Renderer(), make_providers(providers, outfit), collaborators.users)

        await run_channel("push", settings, providers, make_channel, routes=routes(public_key(providers)))


def public_key(providers: Providers) -> str | None:
    """What browsers subscribe with: the VAPID key of the first Web Push provider, if there is one."""
    for name, config in providers.configs.items():
        if isinstance(config, WebPushConfig):
            return base64url(public_point(private_key(name, config).public_key()))
    return None


def _report_url(settings: PushSettings) -> ReportUrl:
    base = settings.public_url.rstrip("/")

    def url(notification_id: UUID, device_id: UUID) -> str:
        return base + engagement_path(settings.service_secret, notification_id, device_id, at=now())

    return url

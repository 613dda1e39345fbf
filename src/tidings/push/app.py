"""The push service, put together."""

from tidings.delivery.worker import Collaborators, run_channel
from tidings.kit.outbound import open_outbound
from tidings.kit.service import run_process
from tidings.push.channel import PushChannel
from tidings.push.providers import make_providers
from tidings.push.providers.outfit import PushOutfit
from tidings.push.settings import PushSettings
from tidings.rendering import Renderer


def main() -> None:
    """Run the push service as the environment configures it."""
    run_process("push", PushSettings, run)


async def run(settings: PushSettings) -> None:
    """Run until told to stop."""
    providers = settings.providers()
    async with open_outbound(allow=frozenset(settings.webpush_hosts)) as outbound:

        def make_channel(collaborators: Collaborators) -> PushChannel:
            outfit = PushOutfit(collaborators.session, outbound)
            return PushChannel(Renderer(), make_providers(providers, outfit), collaborators.users)

        await run_channel("push", settings, providers, make_channel)

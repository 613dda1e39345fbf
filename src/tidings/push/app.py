"""The push service, put together."""

import aiohttp

from tidings.client.users import UsersClient
from tidings.delivery.worker import run_channel
from tidings.kit.service import run_process
from tidings.push.channel import PushChannel
from tidings.push.providers import PROVIDERS
from tidings.push.settings import PushSettings
from tidings.rendering import Renderer


def main() -> None:
    """Run the push service as the environment configures it."""
    run_process("push", PushSettings, run)


async def run(settings: PushSettings) -> None:
    """Run until told to stop."""

    def make_channel(users: UsersClient, session: aiohttp.ClientSession) -> PushChannel:
        return PushChannel(Renderer(), PROVIDERS[settings.provider](settings, session), users)

    await run_channel("push", settings, make_channel)

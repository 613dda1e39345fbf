"""The push service, put together."""

import asyncio
import os

import aiohttp

from tidings.client.users import UsersClient
from tidings.delivery.worker import run_channel
from tidings.kit.settings import load_settings
from tidings.kit.telemetry import configure_logging
from tidings.push.channel import PushChannel
from tidings.push.providers import PROVIDERS
from tidings.push.settings import PushSettings
from tidings.rendering import Renderer


def main() -> None:
    """Run the push service as the environment configures it."""
    settings = load_settings(PushSettings, "push", os.environ)
    configure_logging("push")
    asyncio.run(run(settings))


async def run(settings: PushSettings) -> None:
    """Run until told to stop."""

    def make_channel(users: UsersClient, session: aiohttp.ClientSession) -> PushChannel:
        return PushChannel(Renderer(), PROVIDERS[settings.provider](settings, session), users)

    await run_channel("push", settings, make_channel)

"""The email service, put together."""

import aiohttp

from tidings.client.users import UsersClient
from tidings.delivery.worker import run_channel
from tidings.email.channel import EmailChannel
from tidings.email.providers import PROVIDERS
from tidings.email.settings import EmailSettings
from tidings.kit.service import run_process
from tidings.rendering import Renderer


def main() -> None:
    """Run the email service as the environment configures it."""
    run_process("email", EmailSettings, run)


async def run(settings: EmailSettings) -> None:
    """Run until told to stop."""

    def make_channel(_users: UsersClient, _session: aiohttp.ClientSession) -> EmailChannel:
        return EmailChannel(Renderer(), PROVIDERS[settings.provider](settings))

    await run_channel("email", settings, make_channel)

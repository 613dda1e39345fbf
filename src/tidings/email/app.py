"""The email service, put together."""

import aiohttp

from tidings.client.users import UsersClient
from tidings.delivery.worker import MakeChannel, run_channel
from tidings.email.channel import EmailChannel
from tidings.email.providers import PROVIDERS
from tidings.email.settings import EmailSettings
from tidings.email.trial import send_test_email
from tidings.kit.service import run_process
from tidings.rendering import Renderer


def main() -> None:
    """Run the email service as the environment configures it."""
    run_process("email", EmailSettings, run)


async def run(settings: EmailSettings) -> None:
    """Run until told to stop."""
    await run_channel("email", settings, channel_maker(settings), [send_test_email])


def channel_maker(settings: EmailSettings) -> MakeChannel:
    """What makes the channel from its collaborators."""

    def make(users: UsersClient, _session: aiohttp.ClientSession) -> EmailChannel:
        return EmailChannel(Renderer(), PROVIDERS[settings.provider](settings), users)

    return make

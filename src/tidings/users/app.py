"""The user service's composition root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar

from tidings import __version__
from tidings.client.keys import open_key_check
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.cache import Cache, open_redis
from tidings.kit.database import open_database
from tidings.kit.service import build_app, run_process, serve
from tidings.users.api import ROUTES
from tidings.users.contacts import ContactCache
from tidings.users.settings import UsersSettings
from tidings.users.store import UserStore


@asynccontextmanager
async def open_app(settings: UsersSettings) -> AsyncIterator[Litestar]:
    """The application with everything it uses, open as long as the context is."""
    tokens = ServiceTokens("users", settings.service_secret)
    async with (
        open_key_check(settings.gateway_url, partial(tokens.sign, "gateway")) as check_key,
        open_database(settings.database_url, schema="users", package="tidings.users") as database,
        open_redis(settings.cache_url) as redis,
    ):
        contact_cache = ContactCache(redis)
        yield build_app(
            name="users",
            version=__version__,
            routes=ROUTES,
            authenticator=Authenticator(tokens, check_key),
            checks={"postgresql": database.ping},
            optional_checks={"redis": Cache(redis, "users:").ping},
            provides={"store": UserStore(database, contact_cache.forget), "contact_cache": contact_cache},
        )


async def run(settings: UsersSettings) -> None:
    """Serve until told to stop."""
    async with open_app(settings) as app:
        await serve(app, settings)


def main() -> None:
    """Run the service as a process, configured by the environment."""
    run_process("users", UsersSettings, run)

"""The template service's composition root."""

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
from tidings.rendering import Renderer
from tidings.templates.api import ROUTES
from tidings.templates.catalogue import Catalogue
from tidings.templates.settings import TemplatesSettings
from tidings.templates.store import TemplateStore


@asynccontextmanager
async def open_app(settings: TemplatesSettings) -> AsyncIterator[Litestar]:
    """The application with everything it uses, open as long as the context is."""
    tokens = ServiceTokens("templates", settings.service_secret)
    async with (
        open_key_check(settings.gateway_url, partial(tokens.sign, "gateway")) as check_key,
        open_database(settings.database_url, schema="templates", package="tidings.templates") as database,
        open_redis(settings.cache_url) as redis,
    ):
        store, cache = TemplateStore(database), Cache(redis, "templates:")
        yield build_app(
            name="templates",
            version=__version__,
            routes=ROUTES,
            authenticator=Authenticator(tokens, check_key),
            checks={"postgresql": database.ping},
            optional_checks={"redis": cache.ping},
            provides={"store": store, "catalogue": Catalogue(store, cache), "renderer": Renderer()},
        )


async def run(settings: TemplatesSettings) -> None:
    """Serve until told to stop."""
    async with open_app(settings) as app:
        await serve(app, settings)


def main() -> None:
    """Run the service as a process, configured by the environment."""
    run_process("templates", TemplatesSettings, run)

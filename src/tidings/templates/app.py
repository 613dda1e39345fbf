"""The template service's composition root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar

from tidings import __version__
from tidings.client.keys import open_credential_checks
from tidings.kit.audit.api import ROUTES as AUDIT_ROUTES
from tidings.kit.audit.keeping import keeping_audit_log
from tidings.kit.audit.store import AuditLog
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.cache import Cache, open_redis
from tidings.kit.database import open_database
from tidings.kit.service import build_app, run_process, serve
from tidings.rendering import Renderer
from tidings.templates.api import ROUTES, TRIAL_ROUTES
from tidings.templates.catalogue import Catalogue
from tidings.templates.comparing import Comparison
from tidings.templates.partial_store import PartialStore
from tidings.templates.previewing import Previews
from tidings.templates.publishing import Publisher
from tidings.templates.settings import TemplatesSettings
from tidings.templates.store import TemplateStore
from tidings.templates.trial import open_trials
from tidings.templates.writing_store import WritingStore


@asynccontextmanager
async def open_app(settings: TemplatesSettings) -> AsyncIterator[Litestar]:
    """The application with everything it uses, open as long as the context is."""
    tokens = ServiceTokens("templates", settings.service_secret)
    async with (
        open_credential_checks(settings.gateway_url, partial(tokens.sign, "gateway")) as checks,
        open_trials(settings.email_url, partial(tokens.sign, "email")) as trials,
        open_database(
            settings.database_url,
            schema="templates",
            package="tidings.templates",
            patience=settings.database_seconds,
        ) as database,
        open_redis(settings.cache_url) as redis,
        keeping_audit_log(database, settings.audit_retention_days),
    ):
        store, partials, cache = TemplateStore(database), PartialStore(database), Cache(redis, "templates:")
        catalogue = Catalogue(store, cache)
        yield build_app(
            name="templates",
            version=__version__,
            routes=[*ROUTES, *(TRIAL_ROUTES if trials else ()), *AUDIT_ROUTES],
            authenticator=Authenticator(tokens, checks.key, checks.access_token),
            checks={"postgresql": database.ping},
            optional_checks={"redis": cache.ping},
            provides={
                "store": store,
                "audit_log": AuditLog(database),
                "partials": partials,
                "catalogue": catalogue,
                "publishing": Publisher(store, WritingStore(database), partials),
                "comparison": Comparison(catalogue, store, partials),
                "previews": Previews(catalogue, partials, Renderer()),
                "trials": trials,
            },
        )


async def run(settings: TemplatesSettings) -> None:
    """Serve until told to stop."""
    async with open_app(settings) as app:
        await serve(app, settings)


def main() -> None:
    """Run the service as a process, configured by the environment."""
    run_process("templates", TemplatesSettings, run)

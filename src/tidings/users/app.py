"""The user service's composition root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from redis.asyncio import Redis

from tidings import __version__
from tidings.client.keys import open_credential_checks
from tidings.kit.audit import api as audit
from tidings.kit.audit.keeping import keeping_audit_log
from tidings.kit.audit.store import AuditLog
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.cache import Cache, open_redis
from tidings.kit.database import Database, open_database
from tidings.kit.service import build_app, run_process, serve
from tidings.users import unsubscribe
from tidings.users.categories import api as categories
from tidings.users.categories.store import CategoryStore
from tidings.users.contacts import api as contacts
from tidings.users.contacts.finding import ContactCache, ContactFinder, KnownCategories
from tidings.users.contacts.store import ContactStore
from tidings.users.devices import api as devices
from tidings.users.devices.store import DeviceStore
from tidings.users.erasures import api as erasures
from tidings.users.erasures.store import ErasureStore
from tidings.users.importing import api as importing
from tidings.users.importing.store import ImportStore
from tidings.users.people import api as people
from tidings.users.people.store import UserStore
from tidings.users.preferences import api as preferences
from tidings.users.preferences.store import PreferencesStore
from tidings.users.settings import UsersSettings
from tidings.users.suppressions import api as suppressions
from tidings.users.suppressions.store import SuppressionStore
from tidings.users.unsubscribe.desk import Desk

ROUTES = [
    *people.ROUTES,
    *erasures.ROUTES,
    *importing.ROUTES,
    *devices.ROUTES,
    *contacts.ROUTES,
    *preferences.ROUTES,
    *categories.ROUTES,
    *suppressions.ROUTES,
    *audit.ROUTES,
    *unsubscribe.ROUTES,
]


@asynccontextmanager
async def open_app(settings: UsersSettings) -> AsyncIterator[Litestar]:
    """The application with everything it uses, open as long as the context is."""
    tokens = ServiceTokens("users", settings.service_secret)
    async with (
        open_credential_checks(settings.gateway_url, partial(tokens.sign, "gateway")) as checks,
        open_database(
            settings.database_url,
            schema="users",
            package="tidings.users",
            patience=settings.database_seconds,
        ) as database,
        open_redis(settings.cache_url) as redis,
        keeping_audit_log(database, settings.audit_retention_days),
    ):
        yield build_app(
            name="users",
            version=__version__,
            routes=ROUTES,
            authenticator=Authenticator(tokens, checks.key, checks.access_token),
            checks={"postgresql": database.ping},
            optional_checks={"redis": Cache(redis, "users:").ping},
            provides=_collaborators(settings, database, redis),
        )


def _collaborators(settings: UsersSettings, database: Database, redis: Redis) -> dict[str, object]:
    contact_cache = ContactCache(redis)
    store = UserStore(database, contact_cache.forget)
    preferences_store = PreferencesStore(database, contact_cache.forget)
    category_store = CategoryStore(database)
    return {
        "store": store,
        "erasure_store": ErasureStore(database),
        "audit_log": AuditLog(database),
        "import_store": ImportStore(database, contact_cache.forget),
        "device_store": DeviceStore(database, contact_cache.forget, most=settings.max_devices),
        "contact_finder": ContactFinder(contact_cache, ContactStore(database)),
        "known_categories": KnownCategories(category_store.all),
        "preferences_store": preferences_store,
        "category_store": category_store,
        "suppression_store": SuppressionStore(database, contact_cache.forget),
        "desk": Desk(
            (settings.service_secret, *settings.old_service_secrets),
            people=store,
            preferences=preferences_store,
            categories=category_store,
        ),
    }


async def run(settings: UsersSettings) -> None:
    """Serve until told to stop."""
    async with open_app(settings) as app:
        await serve(app, settings)


def main() -> None:
    """Run the service as a process, configured by the environment."""
    run_process("users", UsersSettings, run)

"""The variables each service is started with by `tidings up`."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from tidings.cli.home import Home, State
from tidings.cli.ports import SERVICES, Ports

OWNERS = ("gateway", "users", "templates", "broker")
"""The schemas of the database; each has one role of its own."""

MIGRATED = ("gateway", "users", "templates")
"""The services among them; the broker's adapter looks after its own tables."""

STOP_SECONDS = 8.0
"""How long services may take to finish what they do when everything stops."""

# What `up` decides itself: each service gets a database and a port of its own.
_OURS = frozenset(
    {"TIDINGS_PORT", "TIDINGS_DATABASE_URL", "TIDINGS_HOME"}
    | {f"TIDINGS_{service.upper()}_PORT" for service in SERVICES}
    | {"TIDINGS_SIMULATOR_SMTP_PORT"}
)


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the three engines answer. `broker` is None where the database is the broker."""

    database: str
    cache: str
    broker: str | None


def service_environment(
    home: Home, state: State, ports: Ports, engines: Engines, environ: Mapping[str, str]
) -> dict[str, str]:
    """The variables of all services together; `environment_of` picks those of one.

    Variables that the user has set win, except those by which `up` gives each service its port
    and its database role.
    """
    ours = {
        "TIDINGS_HOST": ports.listen,
        "TIDINGS_SERVICE_SECRET": state.service_secret,
        "TIDINGS_SHUTDOWN_SECONDS": str(STOP_SECONDS),
        "TIDINGS_CACHE_URL": engines.cache,
        "TIDINGS_BROKER_URL": engines.broker or role_url(engines.database, "broker", state),
        "TIDINGS_GATEWAY_BOOTSTRAP_API_KEY": state.api_key,
        "TIDINGS_GATEWAY_BOOTSTRAP_TEST_API_KEY": state.test_api_key,
        "TIDINGS_PUBLIC_URL": ports.url("gateway"),
        "TIDINGS_EMAIL_URL": ports.url("email"),
        "TIDINGS_EMAIL_SMTP_HOST": ports.host,
        "TIDINGS_EMAIL_SMTP_PORT": str(ports.smtp),
        "TIDINGS_EMAIL_SMTP_TLS": "none",
        "TIDINGS_EMAIL_SENDER": "Tidings <hello@tidings.example>",
        "TIDINGS_PUSH_FCM_CREDENTIALS_FILE": str(home.service_account),
        "TIDINGS_PUSH_FCM_URL": f"{ports.url('simulator')}/fcm",
        "TIDINGS_PUSH_VAPID_PRIVATE_KEY": _vapid_key(state),
        "TIDINGS_PUSH_VAPID_SUBJECT": "mailto:hello@tidings.example",
        "TIDINGS_PUSH_WEBPUSH_HOSTS": ",".join(_hosts(ports.url("simulator"))),
        "TIDINGS_PUSH_URL": ports.url("push"),
        "TIDINGS_SIMULATOR_SERVICE_ACCOUNT_FILE": str(home.service_account),
    }
    for service in MIGRATED:
        ours[f"TIDINGS_{service.upper()}_URL"] = ports.url(service)
    theirs = {key: value for key, value in environ.items() if key not in _OURS}
    return {**ours, **theirs, **_fixed(state, ports, engines)}


def environment_of(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What one service is started with: no other's logins and secrets, only where the others are."""
    others = [f"TIDINGS_{other.upper()}_" for other in SERVICES if other != service]
    addresses = {f"{other}URL" for other in others}
    return {
        name: value
        for name, value in environment.items()
        if name in addresses or not name.startswith(tuple(others))
    }


def _fixed(state: State, ports: Ports, engines: Engines) -> dict[str, str]:
    fixed = {f"TIDINGS_{service.upper()}_PORT": str(port) for service, port in ports.http.items()}
    fixed["TIDINGS_SIMULATOR_SMTP_PORT"] = str(ports.smtp)
    for owner in MIGRATED:
        fixed[f"TIDINGS_{owner.upper()}_DATABASE_URL"] = role_url(engines.database, owner, state)
    return fixed


def _vapid_key(state: State) -> str:
    if state.vapid_private_key is None:
        from tidings.push.keys import make_vapid_keys  # noqa: PLC0415 - most commands need no cryptography

        state.vapid_private_key = make_vapid_keys().private
    return state.vapid_private_key


def _hosts(url: str) -> tuple[str, str]:
    """An address on this machine by number and by name: browsers offer Web Push on localhost only."""
    parts = urlsplit(url)
    return parts.netloc, f"localhost:{parts.port}"


def role_name(owner: str) -> str:
    """The database role that owns the schema `owner`."""
    return f"tidings_{owner}"


def role_url(admin_url: str, owner: str, state: State) -> str:
    """The database of `admin_url`, entered by the role that owns the schema `owner`."""
    parts = urlsplit(admin_url)
    _, _, address = parts.netloc.rpartition("@")
    login = f"{role_name(owner)}:{quote(state.role_password(owner), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{address}"))

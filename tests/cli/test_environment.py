"""What the services are told, and where they listen."""

from pathlib import Path

import pytest

from tidings.cli.environment import Engines, environment_of, service_environment
from tidings.cli.errors import CannotContinue
from tidings.cli.home import Home, State
from tidings.cli.ports import plan_ports

ENGINES = Engines(
    database="postgresql://admin:secret@db:5432/app?ssl=require", cache="redis://c/0", broker=None
)


def _environment(tmp_path: Path, **environ: str) -> dict[str, str]:
    return service_environment(Home(tmp_path), State(), plan_ports(9000, environ), ENGINES, environ)


def test_every_service_has_its_own_role(tmp_path: Path) -> None:
    """Each service enters the database as its own role; the administrator's login goes to none."""
    environment = _environment(tmp_path)
    for service in ("users", "templates", "gateway"):
        url = environment[f"TIDINGS_{service.upper()}_DATABASE_URL"]
        assert url.startswith(f"postgresql://tidings_{service}:")
        assert url.endswith("@db:5432/app?ssl=require")
    assert environment["TIDINGS_BROKER_URL"].startswith("postgresql://tidings_broker:")
    assert not [value for value in environment.values() if "secret@" in value]


@pytest.mark.parametrize("service", ["users", "templates", "gateway", "email", "push", "simulator"])
def test_a_service_gets_no_secrets_of_others(tmp_path: Path, service: str) -> None:
    """Of the others a service learns where they are, and no login, key or setting."""
    everything = _environment(tmp_path)
    own = environment_of(service, everything)
    logins = {name for name in own if name.endswith("_DATABASE_URL")}
    assert logins == {f"TIDINGS_{service.upper()}_DATABASE_URL"} & set(everything)
    assert ("TIDINGS_GATEWAY_BOOTSTRAP_API_KEY" in own) == (service == "gateway")
    assert {"TIDINGS_USERS_URL", "TIDINGS_TEMPLATES_URL", "TIDINGS_GATEWAY_URL"} <= set(own)
    assert own[f"TIDINGS_{service.upper()}_PORT"] == everything[f"TIDINGS_{service.upper()}_PORT"]


def test_settings_of_the_user_win(tmp_path: Path) -> None:
    """A variable that is set already is passed on as it is."""
    environment = _environment(tmp_path, TIDINGS_RETRY_DELAYS="1,2", TIDINGS_EMAIL_SENDER="me@example.com")
    assert environment["TIDINGS_RETRY_DELAYS"] == "1,2"
    assert environment["TIDINGS_EMAIL_SENDER"] == "me@example.com"


def test_one_database_url_does_not_hide_the_roles(tmp_path: Path) -> None:
    """A database URL meant for `up` itself does not reach the services."""
    environment = _environment(tmp_path, TIDINGS_DATABASE_URL="postgresql://admin:secret@db/app")
    assert "TIDINGS_DATABASE_URL" not in environment


def test_port_base() -> None:
    """The port base moves every port, and goes before single ports that are set."""
    ports = plan_ports(9000, {"TIDINGS_USERS_PORT": "1234"})
    assert ports.http == {
        "gateway": 9000,
        "users": 9001,
        "templates": 9002,
        "email": 9003,
        "push": 9004,
        "simulator": 9025,
    }
    assert ports.smtp == 9026


def test_default_ports() -> None:
    """Without a base the well-known ports are taken, except those that are set."""
    ports = plan_ports(None, {"TIDINGS_USERS_PORT": "1234"})
    assert (ports.http["gateway"], ports.http["users"], ports.smtp) == (8000, 1234, 1025)


@pytest.mark.parametrize("text", ["0", "70000", "http", "-1"])
def test_no_port(text: str) -> None:
    """A variable that holds no port is named."""
    with pytest.raises(CannotContinue, match="TIDINGS_USERS_PORT"):
        plan_ports(None, {"TIDINGS_USERS_PORT": text})

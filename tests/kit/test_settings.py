"""What a service says about its environment before it starts."""

from typing import Annotated

import pytest
from msgspec import Meta

from tidings.kit.settings import HttpSettings, Settings, SettingsError, load_settings

SECRET = "0123456789abcdef0123456789abcdef"
COMPLETE = {
    "TIDINGS_PORT": "8001",
    "TIDINGS_SERVICE_SECRET": SECRET,
    "TIDINGS_DATABASE_URL": "postgresql:///",
}


class ExampleSettings(HttpSettings, frozen=True, kw_only=True):
    database_url: Annotated[
        str, Meta(description="PostgreSQL", examples=["postgresql://user:password@127.0.0.1/tidings"])
    ]
    delays: Annotated[tuple[float, ...], Meta(description="waits in seconds", examples=["1,10,60"])] = (1.0,)
    eager: Annotated[bool, Meta(description="whether to hurry", examples=["true"])] = False
    workers: Annotated[int, Meta(ge=1, description="how many at once", examples=["4"])] | None = None


def load(**changes: str) -> ExampleSettings:
    return load_settings(ExampleSettings, "example", COMPLETE | changes)


def fault(kind: type[Settings], environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(kind, "example", environ)
    return str(caught.value)


def test_what_is_set_is_converted_and_the_rest_has_defaults() -> None:
    """Numbers, booleans and comma-separated lists are read from text; what is not set has its default."""
    settings = load(TIDINGS_DELAYS="0.5, 10,60", TIDINGS_EAGER="true")
    assert (settings.port, settings.delays, settings.eager) == (8001, (0.5, 10.0, 60.0), True)
    assert (settings.host, settings.shutdown_seconds) == ("127.0.0.1", 20.0)


def test_every_missing_variable_is_named_at_once() -> None:
    """Whoever starts a service is told all that is missing, with an example of each."""
    words = fault(ExampleSettings, {})
    assert "The example service cannot start" in words
    assert "TIDINGS_PORT is not set: port to listen on, for example 8001" in words
    assert "TIDINGS_SERVICE_SECRET is not set" in words
    assert "openssl rand -hex 32" in words
    assert "TIDINGS_DATABASE_URL is not set: PostgreSQL, for example postgresql://user" in words
    assert "TIDINGS_HOST" not in words


def test_an_empty_variable_is_a_missing_one() -> None:
    """`TIDINGS_PORT=` in an environment file sets nothing."""
    assert "TIDINGS_PORT is not set" in fault(ExampleSettings, COMPLETE | {"TIDINGS_PORT": ""})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TIDINGS_PORT", "eighty"),
        ("TIDINGS_PORT", "70000"),
        ("TIDINGS_EXAMPLE_PORT", "-1"),
        ("TIDINGS_SHUTDOWN_SECONDS", "soon"),
        ("TIDINGS_SERVICE_SECRET", "short"),
        ("TIDINGS_DELAYS", "1,two,3"),
        ("TIDINGS_EAGER", "perhaps"),
        ("TIDINGS_WORKERS", "none"),
    ],
)
def test_a_malformed_variable_is_named_and_its_value_is_not_shown(name: str, text: str) -> None:
    """The name, what is wrong and an example are told; the value may be a secret and is not."""
    words = fault(ExampleSettings, COMPLETE | {name: text})
    assert f"{name} is malformed" in words
    assert "for example" in words
    assert text not in words.replace(name, "")


def test_faults_of_both_kinds_are_told_together() -> None:
    """A missing and a malformed variable appear in the same message."""
    words = fault(ExampleSettings, {"TIDINGS_PORT": "eighty", "TIDINGS_SERVICE_SECRET": SECRET})
    assert "TIDINGS_PORT is malformed" in words
    assert "TIDINGS_DATABASE_URL is not set" in words


def test_the_variable_of_one_service_wins() -> None:
    """`TIDINGS_EXAMPLE_PORT` concerns this service only and goes before `TIDINGS_PORT`."""
    assert load(TIDINGS_EXAMPLE_PORT="9001", TIDINGS_OTHER_PORT="9002").port == 9001


def test_printing_settings_shows_no_value() -> None:
    """Settings in a traceback or a log give away neither secrets nor passwords."""
    settings = load(TIDINGS_DATABASE_URL="postgresql://user:hunter2@127.0.0.1/tidings")
    for shown in (repr(settings), str(settings), f"{[settings]}"):
        assert "ExampleSettings(host, port," in shown
        assert SECRET not in shown
        assert "hunter2" not in shown

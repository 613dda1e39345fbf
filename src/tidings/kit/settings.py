"""Settings of one service, read once from `TIDINGS_...` variables in its composition root."""

import typing
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta


class SettingsError(ValueError):
    """One or more variables are missing or malformed. The text names each, why, and an example."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every service's settings. Each field's `Meta` carries a description and an example.

    A field `database_url` of the service `users` is read from `TIDINGS_USERS_DATABASE_URL`,
    then from `TIDINGS_DATABASE_URL`. Tuples are comma-separated.
    """

    def __repr__(self) -> str:
        """Names only: values may be secrets."""
        return f"{type(self).__name__}({', '.join(self.__struct_fields__)})"


class HttpSettings(Settings, frozen=True, kw_only=True):
    """What every service listens on and how it stops."""

    host: Annotated[str, Meta(description="address to listen on", examples=["127.0.0.1"])] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on", examples=["8001"])]
    shutdown_seconds: Annotated[
        float, Meta(ge=0, description="how long work in flight may take to finish", examples=["20"])
    ] = 20.0
    slow_client_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="how long the head of a request may take to come; a body may take as long, and a "
            "second more for each KiB",
            examples=["30"],
        ),
    ] = 30.0
    service_secret: Annotated[
        str,
        Meta(
            min_length=32,
            description="secret shared by the services, which signs the tokens they show each other",
            examples=["the output of: openssl rand -hex 32"],
        ),
    ]


BrokerUrl = Annotated[
    str, Meta(description="RabbitMQ, or PostgreSQL as a broker", examples=["amqp://tidings:secret@mq:5672/"])
]
DatabaseSeconds = Annotated[
    float,
    Meta(
        ge=1,
        le=60,
        description="how long a request may wait for PostgreSQL before it is answered 503",
        examples=["1"],
    ),
]
CacheUrl = Annotated[
    str,
    Meta(
        description="Redis or Valkey; `?timeout=2&socket_timeout=2` lets it take longer than half a second",
        examples=["redis://cache:6379/0"],
    ),
]

S = TypeVar("S", bound=Settings)


def load_settings(kind: type[S], service: str, environ: Mapping[str, str]) -> S:
    """Read the settings of `service`.

    Raises:
        SettingsError: names every variable that is missing or malformed, with an example.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        names = [f"TIDINGS_{service}_{field.name}".upper(), f"TIDINGS_{field.name}".upper()]
        given = next((name for name in names if environ.get(name)), None)
        if given is None:
            if field.required:
                faults.append(f"{names[1]} is not set: {_describe(hints[field.name])}")
            continue
        try:
            values[field.name] = _parse(environ[given], hints[field.name])
        except msgspec.ValidationError as error:
            faults.append(f"{given} is malformed ({error}): {_describe(hints[field.name])}")
    if faults:
        raise SettingsError(f"The {service} service cannot start.\n  " + "\n  ".join(faults))
    return kind(**values)


def _parse(text: str, hint: Any) -> Any:  # noqa: ANN401 - a setting may have any type
    plain = _without_meta(hint)
    raw: Any = [part.strip() for part in text.split(",")] if get_origin(plain) is tuple else text
    return msgspec.convert(raw, hint, strict=False)


def _describe(hint: Any) -> str:  # noqa: ANN401 - the same
    # An optional setting is a union, with the Meta in one of its members.
    parts = [part for member in (hint, *get_args(hint)) for part in get_args(member)]
    meta = next((part for part in parts if isinstance(part, Meta)), None)
    if meta is None:
        return "see docs/settings.md"
    example = f", for example {meta.examples[0]}" if meta.examples else ""
    return f"{meta.description}{example}"


def _without_meta(hint: Any) -> Any:  # noqa: ANN401 - the same
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint

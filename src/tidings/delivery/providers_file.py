"""The providers file: which ways out there are, in which order each lane tries them, and how fast (TOML)."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from tidings.contracts.codes import Priority
from tidings.kit.settings import SettingsError

Step = Annotated[str, Meta(min_length=1, max_length=500)]

RESERVED = frozenset({"none", "sandbox", "bounce_mailbox"})
"""Names that stand in timelines for what is in no file."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What every provider has. `seconds` limits one command or request.

    `per_second` and `per_day` are budgets that all worker processes share: what goes beyond waits.
    """

    seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    per_second: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    per_day: Annotated[int, Meta(ge=1)] | None = None

    def __repr__(self) -> str:
        """Names only: values may be secrets."""
        return f"{type(self).__name__}({', '.join(self.__struct_fields__)})"


class Lanes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order in which each lane tries providers: `["ses:3|sendgrid:1", "relay"]`.

    Steps are tried in order; within a step the names between `|` are drawn by weight (1 when none is
    given). A lane that is left out is as `normal`, and `normal` is every provider in the file's order.
    No further provider is tried after `message_seconds`: the message waits for its next attempt.
    """

    critical: list[Step] | None = None
    normal: list[Step] | None = None
    bulk: list[Step] | None = None
    message_seconds: Annotated[float, Meta(gt=0, le=3600)] = 120.0


P = TypeVar("P", bound=ProviderConfig)
Lane = tuple[tuple[tuple[str, float], ...], ...]
"""Steps of `(provider, weight)`."""


class Providers(msgspec.Struct, frozen=True):
    """A providers file, checked. `lanes` has an entry for each priority."""

    configs: Mapping[str, ProviderConfig]
    lanes: Mapping[Priority, Lane]
    message_seconds: float = 120.0


def in_order(configs: Mapping[str, ProviderConfig]) -> Providers:
    """The providers of a service that has no file: every lane tries them as they stand."""
    lane: Lane = tuple(((name, 1.0),) for name in configs)
    return Providers(configs, dict.fromkeys(Priority, lane))


def read_providers(path: Path, kinds: Any, environ: Mapping[str, str] = os.environ) -> Providers:  # noqa: ANN401 - a union of configs
    """Read a file with `[providers.NAME]` tables of the given `kinds`, and a table `[lanes]`.

    `${NAME}` in a text stands for that environment variable, so that the file itself needs no secret.

    Raises:
        SettingsError: it cannot be read, or says something that no provider understands; names the place.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The providers file {path} cannot be read: {error}") from error
    try:
        return _checked(_filled_in(raw, environ), kinds)
    except ValueError as error:
        raise SettingsError(f"The providers file {path} is malformed: {error}") from error


def _checked(raw: dict[str, Any], kinds: Any) -> Providers:  # noqa: ANN401 - as above
    unknown = set(raw) - {"providers", "lanes"}
    if unknown:
        raise ValueError(f"there is no table {', '.join(sorted(unknown))}, only `providers` and `lanes`")
    tables = raw.get("providers")
    if not isinstance(tables, dict) or not tables:
        raise ValueError("it has no table `[providers.NAME]`, and there is no sending without a provider")
    configs = {name: _config(name, table, kinds) for name, table in tables.items()}
    lanes = _table("lanes", raw.get("lanes", {}), Lanes)
    every_one: Lane = tuple(((name, 1.0),) for name in configs)
    normal = every_one if lanes.normal is None else _lane("normal", lanes.normal, configs)
    chosen = {Priority.CRITICAL: lanes.critical, Priority.NORMAL: lanes.normal, Priority.BULK: lanes.bulk}
    return Providers(
        configs,
        {
            priority: normal if steps is None else _lane(priority, steps, configs)
            for priority, steps in chosen.items()
        },
        lanes.message_seconds,
    )


def _config(name: str, table: Any, kinds: Any) -> ProviderConfig:  # noqa: ANN401 - as above
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"`{name}` is no name for a provider: at most 40 of a-z, 0-9, `-` and `_`, and a letter first"
        )
    if name in RESERVED:
        raise ValueError(f"the name {name} is taken by Tidings itself")
    config: ProviderConfig = _table(f"providers.{name}", table, kinds)
    return config


def _table(name: str, table: Any, kind: Any) -> Any:  # noqa: ANN401 - as above
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"in the table `[{name}]`: {error}") from error


def _lane(lane: str, steps: list[str], configs: Mapping[str, ProviderConfig]) -> Lane:
    if not steps:
        raise ValueError(f"the lane `{lane}` has no step")
    return tuple(tuple(_weighted(lane, part, configs) for part in step.split("|")) for step in steps)


def _weighted(lane: str, part: str, configs: Mapping[str, ProviderConfig]) -> tuple[str, float]:
    name, _, weight = part.strip().partition(":")
    if name not in configs:
        raise ValueError(f"the lane `{lane}` names `{name}`, which is none of: {', '.join(configs)}")
    try:
        number = float(weight or 1)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"the weight `{weight}` of `{name}` in the lane `{lane}` is no positive number")
    return name, number


def _filled_in(value: Any, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - whatever TOML can hold
    if isinstance(value, dict):
        return {key: _filled_in(part, environ) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled_in(part, environ) for part in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found[1], environ), value)
    return value


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ValueError(f"${{{name}}} is used, and the environment has no {name}")
    return environ[name]

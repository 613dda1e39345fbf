"""The text of docs/settings.md, from the settings classes and the command line's own options.

Run it (`.venv/bin/python tests/docs/settings_page.py`) to write the file anew.
"""

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import msgspec
from msgspec import NODEFAULT, Meta

from tidings.cli.app import app
from tidings.delivery.settings import ChannelSettings
from tidings.email.settings import EmailSettings
from tidings.gateway.settings import GatewaySettings
from tidings.kit.settings import HttpSettings, Settings
from tidings.push.settings import PushSettings
from tidings.simulator.settings import SimulatorSettings
from tidings.templates.settings import TemplatesSettings
from tidings.users.settings import UsersSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
COMMAND = ".venv/bin/python tests/docs/settings_page.py"

SERVICES: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "users": UsersSettings,
    "templates": TemplatesSettings,
    "email": EmailSettings,
    "push": PushSettings,
    "simulator": SimulatorSettings,
}
SHARED: dict[str, type[Settings]] = {"Every service": HttpSettings, "Email and push": ChannelSettings}

_OPENING = f"""\
# Settings

Written by `{COMMAND}` from the settings classes; a test fails when
it is out of date.

A service reads each setting from `TIDINGS_<SERVICE>_<NAME>` first, then from `TIDINGS_<NAME>`: one
`TIDINGS_CACHE_URL` serves all services, and `TIDINGS_USERS_CACHE_URL` gives one of them another. A service
that finds a variable missing or malformed names it, with an example, and ends with code 2 before it starts
anything. Times are in seconds.
"""
_UP = """\
## `tidings up`, `send`, `status` and `templates`

`tidings up` starts every service with settings of its own choice. Variables that you set win, except the
services' `DATABASE_URL`, which it makes itself: one role per service.

| Variable | Same as | Meaning |
|---|---|---|
"""
_HEAD = "| Variable | Meaning | Value | Default |\n|---|---|---|---|\n"
_LIMITS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "min_length": "at least {} characters",
    "pattern": "matching `{}`",
}
_KINDS = {int: "whole number", float: "number", str: "text"}


def settings_page() -> str:
    """The whole page."""
    sections = [
        f"## {title}\n\n{_HEAD}{''.join(_rows(kind, prefix='TIDINGS_'))}" for title, kind in SHARED.items()
    ]
    sections += [
        f"## {service}\n\n{_HEAD}{''.join(_rows(kind, prefix=f'TIDINGS_{service.upper()}_'))}"
        for service, kind in SERVICES.items()
    ]
    return "\n".join([_OPENING, *sections, _UP + "".join(_option_rows())])


def _rows(kind: type[Settings], *, prefix: str) -> Iterator[str]:
    # What a class repeats of its base without a change stands in the base's section.
    known = {
        name: hint
        for base in SHARED.values()
        if base is not kind and issubclass(kind, base)
        for name, hint in typing.get_type_hints(base, include_extras=True).items()
    }
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint, default = hints[field.name], _default(field)
        if known.get(field.name) == hint:
            continue
        cells = [f"`{prefix}{field.name.upper()}`", _meaning(hint, default), _value(hint), default]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _meaning(hint: Any, default: str) -> str:  # noqa: ANN401 - a setting may have any type
    meta = _meta(hint)
    if meta is None:
        return ""
    example = f"`{meta.examples[0]}`" if meta.examples else default
    return f"{meta.description}" if example == default else f"{meta.description}; for example {example}"


def _value(hint: Any) -> str:  # noqa: ANN401 - the same
    plain = _plain(hint)
    if get_origin(plain) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(plain))
    if get_origin(plain) is tuple:
        return f"{_KINDS[_plain(get_args(plain)[0])]}s, separated by commas"
    return ", ".join([_KINDS[plain], *_limits(_meta(hint))])


def _limits(meta: Meta | None) -> Iterator[str]:
    if meta is None:
        return
    for name, words in _LIMITS.items():
        limit = getattr(meta, name)
        if limit is not None and (name, limit) != ("min_length", 1):
            yield words.format(limit)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "**required**"
    if field.default is NODEFAULT:
        return "made at start"
    if field.default in {None, ()}:
        return "none"
    if isinstance(field.default, tuple):
        return f"`{','.join(f'{part:g}' for part in field.default)}`"
    shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
    return f"`{shown}`"


def _meta(hint: Any) -> Meta | None:  # noqa: ANN401 - the same
    if get_origin(hint) is Annotated:
        return next((part for part in get_args(hint) if isinstance(part, Meta)), None)
    return next((found for part in get_args(hint) if (found := _meta(part))), None)


def _plain(hint: Any) -> Any:  # noqa: ANN401 - the same
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in {Union, types.UnionType}:
        return _plain(next(part for part in get_args(hint) if part is not type(None)))
    return hint


def _option_rows() -> Iterator[str]:
    named: dict[str, tuple[list[str], str]] = {}
    for name, option in _options():
        if isinstance(option.envvar, str):
            commands, _ = named.setdefault(option.envvar, ([], option.help or ""))
            words = f"`{name} {option.opts[-1]}`"
            if words not in commands:
                commands.append(words)
    for variable, (options, words) in named.items():
        yield f"| `{variable}` | {', '.join(options)} | {words} |\n"
    yield "| `TIDINGS_<SERVICE>_PORT`, `TIDINGS_SIMULATOR_SMTP_PORT` | | the ports, without `--port-base` |\n"


def _options() -> Iterator[tuple[str, click.Option]]:
    for name, command in app.commands.items():
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *inner):
            shown = name if one is command else f"{name} …"
            yield from ((shown, option) for option in one.params if isinstance(option, click.Option))


if __name__ == "__main__":
    PAGE.write_text(settings_page())

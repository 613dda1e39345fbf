"""What can be known of a template before anyone renders it."""

import re
from collections.abc import Mapping

from tidings.contracts.codes import Channel
from tidings.rendering.bombs import bomb
from tidings.rendering.engine import Engine, EngineError
from tidings.rendering.faults import Fault
from tidings.rendering.fields import Local, escaped, forms, path_to, sources

PROVIDED = frozenset({"unsubscribe_url", "preferences_url"})
"""Variables that the platform gives to every template. Callers need not give them, and cannot."""

_NEVER_RIGHT = frozenset(
    {"SyntaxError", "UnknownFilter", "UnknownTest", "UnknownFunction", "TemplateNotFound"}
)
_USES_PARTIAL = re.compile(r"\{%[-+]?\s*(?:import|from|include|extends)\b")
_NUL = "it holds a NUL character, which cannot be stored"


def check_source(content: Mapping[str, Local], partials: Mapping[str, str] | None = None) -> list[Fault]:
    """Every field that does not compile, or uses a filter, test, function or partial that does not exist.

    The latter are found where they run without variables; one deep inside a branch shows when rendered.
    """
    engine = Engine(undefined="chainable")
    faults = []
    for locale, channel, form in forms(content):
        for field, source in sources(form).items():
            words = _NUL if "\0" in field else _wrong(source, partials, html=escaped(field), engine=engine)
            if words:
                where = f"{channel}.{field} ({locale})"
                faults.append(Fault(path=path_to(locale, channel, field), message=f"{where}, {words}"))
    return faults


def uses_partials(source: str) -> bool:
    """Whether a source asks for others when it is rendered."""
    return _USES_PARTIAL.search(source) is not None


def check_partial(source: str) -> list[Fault]:
    """What is wrong with a partial on its own. What it includes may be stored after it."""
    engine = Engine(undefined="chainable")
    words = _NUL if "\0" in source else None
    try:
        engine.compile(source, html=True)
    except EngineError as error:
        words = words or str(error)
    words = words or bomb(source)
    return [Fault(path="$.source", message=f"the partial, {words}")] if words else []


def _wrong(source: str, partials: Mapping[str, str] | None, *, html: bool, engine: Engine) -> str | None:
    """Why a source can never work, whatever its variables; None where it may. `engine` is lenient."""
    if "\0" in source:
        return _NUL
    name = None
    try:
        name = engine.compile(source, html=html, partials=partials)
        found = bomb(source)  # before it goes off
        if found is None:
            engine.render(name, {})
    except EngineError as error:
        return str(error) if error.kind in _NEVER_RIGHT else None
    else:
        return found
    finally:
        if name:
            engine.forget(name)


def required_variables(
    content: Mapping[str, Local], partials: Mapping[str, str] | None = None
) -> dict[Channel, list[str]]:
    """Per channel, the names that some locale needs a value for, sorted. The source must compile.

    A name that a field tests with `is defined`, or gives a `default`, is not required by that field.
    What the `partials` need is required by every field that uses one; what the platform provides never is.
    """
    engine = Engine()
    shared = {name for piece in (partials or {}).values() for name in engine.required(piece)}
    names: dict[Channel, set[str]] = {}
    for _, channel, form in forms(content):
        for source in sources(form).values():
            needed = engine.required(source) | (shared if uses_partials(source) else set())
            names.setdefault(channel, set()).update(needed)
    return {channel: sorted(found - PROVIDED) for channel, found in names.items()}


def mentioned_variables(content: Mapping[str, Local], partials: Mapping[str, str] | None = None) -> set[str]:
    """Every top-level name that some field or partial takes from the variables."""
    engine = Engine()
    pieces = [source for _, _, form in forms(content) for source in sources(form).values()]
    return set().union(*(engine.mentioned(piece) for piece in (*pieces, *(partials or {}).values())))

"""What can be known of a template before anyone renders it."""

from collections.abc import Mapping

from tidings.contracts.codes import Channel
from tidings.contracts.http import LocalContent
from tidings.rendering.engine import Engine, EngineError
from tidings.rendering.faults import Fault
from tidings.rendering.fields import forms, path_to, sources

_NEVER_RIGHT = frozenset({"UnknownFilter", "UnknownTest", "UnknownFunction", "TemplateNotFound"})
_NUL = "it holds a NUL character, which cannot be stored"


def check_source(content: Mapping[str, LocalContent]) -> list[Fault]:
    """Every field that does not compile, or uses a filter, test or function that does not exist.

    The latter are found where they run without variables; one deep inside a branch shows when rendered.
    """
    engine = Engine(undefined="chainable")
    faults = []
    for locale, channel, form in forms(content):
        for field, source in sources(form).items():
            words = _NUL if "\0" in field + source else _try(engine, source)
            if words:
                where = f"{channel}.{field} ({locale})"
                faults.append(Fault(path=path_to(locale, channel, field), message=f"{where}, {words}"))
    return faults


def required_variables(content: Mapping[str, LocalContent]) -> dict[Channel, list[str]]:
    """Per channel, the names that some locale needs a value for, sorted. The source must compile.

    A name that a field tests with `is defined`, or gives a `default`, is not required by that field.
    """
    engine = Engine()
    names: dict[Channel, set[str]] = {}
    for _, channel, form in forms(content):
        for source in sources(form).values():
            names.setdefault(channel, set()).update(engine.required(source))
    return {channel: sorted(found) for channel, found in names.items()}


def _try(engine: Engine, source: str) -> str | None:
    try:
        engine.render(engine.compile(source, html=True), {})
    except EngineError as error:
        if error.kind == "SyntaxError" or error.kind in _NEVER_RIGHT:
            return str(error)
    return None

"""minijinja, shut in: strict about what is missing, limited in work and output, blind to all but data."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, Literal

from minijinja import Environment, TemplateError

from tidings.rendering.filters import FilterError, LocalFilters

MAX_STEPS = 100_000
"""Engine instructions a field may take: about 2 ms of plain ones. It also keeps nesting within the stack."""

MAX_OUTPUT = 1024 * 1024
"""Characters a field may come to."""

_UNDEFINED = re.compile(r"`([^\W\d][\w.]*)` is undefined")
_OPTIONAL = re.compile(r"(?<![\w.])([^\W\d]\w*)\s*(?:\|\s*(?:default|d)\b|is\s+(?:not\s+)?(?:un)?defined\b)")
_TAG = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_CAUSE = re.compile(r"^caused by: (?P<words>.+) \(in (?P<name>\S+):(?P<line>\d+)\)$", re.MULTILINE)
_PLACE = re.compile(r" \(in \S+:\d+\)$")
_MISSING_PARTIAL = re.compile(r"non-existing template '(.*)'", re.DOTALL)
_CAUSE_KINDS = {
    "engine ran out of fuel": "OutOfFuel",
    "syntax error": "SyntaxError",
    "template not found": "TemplateNotFound",
    "unknown filter": "UnknownFilter",
    "unknown function": "UnknownFunction",
    "unknown test": "UnknownTest",
}


class EngineError(ValueError):
    """A source does not compile or render. `undefined`: the expression without a value, if that is why."""

    def __init__(
        self, message: str, *, kind: str, line: int | None = None, partial: str | None = None
    ) -> None:
        place = ", ".join([*([f"partial {partial}"] if partial else []), *([f"line {line}"] if line else [])])
        super().__init__(f"{place}: {message}" if place else message)
        self.kind = kind
        found = _UNDEFINED.search(message)
        self.undefined = found[1] if found else None


class Engine:
    """Compiled sources by name. Values may loop and be large; they cannot run away with the process.

    Time is bounded by `MAX_STEPS`, what values add to the output by `MAX_OUTPUT`. Authors are trusted
    further than values: what a source multiplies on purpose is refused where it can be seen in the
    source (`tidings.rendering.bombs`). Not for several threads.
    """

    def __init__(self, undefined: Literal["strict", "chainable"] = "strict") -> None:
        self._budget = _Budget()
        self._filters = LocalFilters(lenient=undefined == "chainable")
        self._serial = count()
        self._partials: dict[str, str] = {}
        self._environment = Environment(
            loader=self._partials.get,
            fuel=MAX_STEPS,
            undefined_behavior=undefined,
            keep_trailing_newline=True,
            finalizer=self._budget.spend,
            filters=self._filters.by_name(),
            path_join_callback=_own_partial,
        )
        self._environment.remove_global("debug")  # it would print everything it was given

    def compile(self, source: str, *, html: bool, partials: Mapping[str, str] | None = None) -> str:
        """Keep a compiled source, with the partials it may use, and return the name it goes by.

        In `html` values are escaped, in the partials too.

        Raises:
            EngineError: the source is not a template.
        """
        kind = "html" if html else "txt"  # minijinja escapes by extension
        name = f"{next(self._serial)}.{kind}"
        try:
            self._environment.add_template(name, source)
        except TemplateError as error:
            raise _explain(error) from error
        except UnicodeEncodeError as error:
            raise EngineError("it holds half of a surrogate pair", kind="SyntaxError") from error
        for partial, piece in (partials or {}).items():  # compiled when one is asked for
            self._partials[_own_partial(partial, name)] = piece
        return name

    def forget(self, name: str) -> None:
        """Drop a compiled source and its partials."""
        self._environment.remove_template(name)
        for partial in [kept for kept in self._partials if _root(kept) == _root(name)]:
            del self._partials[partial]
            self._environment.remove_template(partial)

    def render(self, name: str, variables: Mapping[str, Any], locale: str = "en") -> str:
        """Fill in a compiled source; filters speak `locale`. None prints as nothing.

        Raises:
            EngineError: a value is missing or does not fit, or a limit is passed.
        """
        self._budget.left = MAX_OUTPUT
        self._filters.use(locale)
        try:
            text = self._environment.render_template(name, **variables)
        except _TooLong as error:
            raise EngineError(str(error), kind="TooLong") from error
        except FilterError as error:
            raise EngineError(str(error), kind="BadValue") from error
        except TemplateError as error:
            raise _explain(error) from error
        if len(text) > MAX_OUTPUT:
            raise EngineError(str(_TooLong()), kind="TooLong")
        # Safe unescaped in HTML, and link rewriters look for plain URLs.
        return text.replace("&#x2f;", "/") if name.endswith(".html") else text

    def required(self, source: str) -> set[str]:
        """The names a source needs a value for.

        A name that the source tests with `is defined`, or gives a `default`, is not among them: where
        it turns out to be needed after all, rendering says so.
        """
        guarded = {name for tag in _TAG.findall(source) for name in _OPTIONAL.findall(tag)}
        return self.mentioned(source) - guarded

    def mentioned(self, source: str) -> set[str]:
        """The top-level names a source takes from its variables."""
        return self._environment.undeclared_variables_in_str(source) - self._environment.globals.keys()


class _TooLong(Exception):
    def __init__(self) -> None:
        super().__init__(f"the result is longer than {MAX_OUTPUT:,} characters")


class _Budget:
    """Counts what values print while they do: after the fact would be too late to save the memory."""

    def __init__(self) -> None:
        self.left = MAX_OUTPUT

    def spend(self, value: Any) -> Any:  # noqa: ANN401 - templates print anything
        if value is None:
            return ""
        self.left -= len(value if isinstance(value, str) else str(value))
        if self.left < 0:
            raise _TooLong
        return value


def _own_partial(name: str, parent: str) -> str:
    # All sources share the environment: the number keeps a template to its own partials.
    return f"{_root(parent)}/{name}.{parent.rpartition('.')[2]}"


def _root(name: str) -> str:
    return re.split(r"[/.]", name, maxsplit=1)[0]


def _explain(error: TemplateError) -> EngineError:
    kind, words, name, line = (
        error.kind,
        error.detail or _PLACE.sub("", error.message),
        error.name,
        error.line,
    )
    causes = list(_CAUSE.finditer(str(error)))
    if kind == "BadInclude" and causes:  # the cause is what the author can mend
        inner = causes[-1]
        found, _, detail = inner["words"].partition(": ")
        kind, words = _CAUSE_KINDS.get(found, "BadInclude"), detail or found
        name, line = inner["name"], int(inner["line"])
    missing = _MISSING_PARTIAL.search(words)
    if kind == "TemplateNotFound" and missing:
        words = f"there is no partial named {missing[1]}"
    if kind == "OutOfFuel":
        words = f"it takes more than {MAX_STEPS:,} steps; loop over less"
    return EngineError(words, kind=kind, line=line, partial=_partial(name))


def _partial(name: str | None) -> str | None:
    _, slash, rest = (name or "").partition("/")
    return rest.rpartition(".")[0] if slash else None

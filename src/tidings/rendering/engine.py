"""minijinja, shut in: strict about what is missing, limited in work and output, blind to all but data."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, Literal

from minijinja import Environment, TemplateError

MAX_STEPS = 100_000
"""Engine instructions a field may take: about 2 ms of plain ones. It also keeps nesting within the stack."""

MAX_OUTPUT = 1024 * 1024
"""Characters a field may come to."""

_UNDEFINED = re.compile(r"`([^\W\d][\w.]*)` is undefined")
_OPTIONAL = re.compile(r"(?<![\w.])([^\W\d]\w*)\s*(?:\|\s*(?:default|d)\b|is\s+(?:not\s+)?(?:un)?defined\b)")
_TAG = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_WORDS = {
    "OutOfFuel": f"it takes more than {MAX_STEPS:,} steps; loop over less",
    "TemplateNotFound": "a template cannot include, import or extend another",
}


class EngineError(ValueError):
    """A source does not compile or render. `undefined`: the expression without a value, if that is why."""

    def __init__(self, message: str, *, kind: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.kind = kind
        found = _UNDEFINED.search(message)
        self.undefined = found[1] if found else None


class Engine:
    """Compiled sources by name. Values may loop and be large; they cannot run away with the process.

    Time is bounded by `MAX_STEPS`, what values add to the output by `MAX_OUTPUT`. Authors are trusted
    further than values: nothing bounds the memory of a source that multiplies strings on purpose.
    Not for several threads.
    """

    def __init__(self, undefined: Literal["strict", "chainable"] = "strict") -> None:
        self._budget = _Budget()
        self._serial = count()
        self._environment = Environment(
            fuel=MAX_STEPS,
            undefined_behavior=undefined,
            keep_trailing_newline=True,
            finalizer=self._budget.spend,
            # All sources share the environment; without a way to name one, none can read another.
            path_join_callback=lambda _name, _parent: "",
        )
        self._environment.remove_global("debug")  # it would print everything it was given

    def compile(self, source: str, *, html: bool) -> str:
        """Keep a compiled source and return the name it goes by. In `html` values are escaped.

        Raises:
            EngineError: the source is not a template.
        """
        name = f"{next(self._serial)}.{'html' if html else 'txt'}"  # minijinja escapes by extension
        try:
            self._environment.add_template(name, source)
        except TemplateError as error:
            raise _explain(error) from error
        except UnicodeEncodeError as error:
            raise EngineError("it holds half of a surrogate pair", kind="SyntaxError") from error
        return name

    def forget(self, name: str) -> None:
        """Drop a compiled source."""
        self._environment.remove_template(name)

    def render(self, name: str, variables: Mapping[str, Any]) -> str:
        """Fill in a compiled source. None prints as nothing.

        Raises:
            EngineError: a value is missing or does not fit, or a limit is passed.
        """
        self._budget.left = MAX_OUTPUT
        try:
            text = self._environment.render_template(name, **variables)
        except _TooLong as error:
            raise EngineError(str(error), kind="TooLong") from error
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


def _explain(error: TemplateError) -> EngineError:
    words = _WORDS.get(error.kind) or error.detail or error.message
    return EngineError(words, kind=error.kind, line=error.line)

"""A file's YAML as data and as our types; what does not fit is told by line."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.yaml_text import MalformedYaml, load

T = TypeVar("T")

_WHERE = re.compile(r"(?P<words>.*?)(?: - at `(?P<path>[^`]+)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def parse(name: str, text: str, *, first_line: int = 1) -> Any:  # noqa: ANN401 - YAML holds anything
    """What the YAML says that begins at `first_line` of the file `name`.

    Raises:
        Faulty: it is none.
    """
    try:
        return load(text)
    except MalformedYaml as error:
        raise Faulty(FileFault(name, str(error), first_line - 1 + error.line)) from error


def convert(
    name: str, data: object, kind: type[T], find_line: Callable[[tuple[str | int, ...]], int | None]
) -> T:
    """`data` of the file `name` as a `kind`; `find_line` knows where in the file a path leads.

    Raises:
        Faulty: it does not fit.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        match = _WHERE.fullmatch(str(error))
        words, path = (match["words"], match["path"] or "$") if match else (str(error), "$")
        where = f"{path.removeprefix('$.')}: " if path != "$" else ""
        unknown = _UNKNOWN.search(words)
        place = (*steps(path), unknown[1]) if unknown else steps(path)
        raise Faulty(FileFault(name, where + words, find_line(place))) from error


def steps(path: str) -> tuple[str | int, ...]:
    """A JSONPath in its parts: `$.actions[0].title` is `("actions", 0, "title")`."""
    return tuple(name or int(index) for name, index in _STEP.findall(path.removeprefix("$")))

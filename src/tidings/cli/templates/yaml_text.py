"""YAML with JSON's scalars: `no`, a date and `007` are text, as whoever writes a message means them."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"
_OTHERS = yaml.resolver.Resolver()
_LINE_ENDS = re.compile("[\r\x85\u2028\u2029\ufeff]")
_SCALARS = {
    "null": (r"~|null|", ["~", "n", ""]),
    "bool": (r"true|false", list("tf")),
    "int": (r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    "float": (r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
}


class MalformedYaml(ValueError):
    """The text cannot be read; `line` is where, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def load(text: str) -> Any:  # noqa: ANN401 - YAML holds anything
    """What a text says; None where it says nothing.

    Raises:
        MalformedYaml: it is no YAML, names a key twice, or loses words to a comment that was not meant.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            return None
        for scalar in _scalars(node):
            _refuse_lost_words(text, scalar)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MalformedYaml(_explain(error, text), mark.line + 1 if mark else 1) from error
    except (yaml.YAMLError, ValueError) as error:
        raise MalformedYaml(str(error), 1) from error
    except RecursionError as error:
        raise MalformedYaml("it is nested too deeply", 1) from error


def dump(value: object) -> str:
    """The one text that says `value`: the same value gives the same bytes."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=float("inf"))


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line, from 1, of a key or an item; of the nearest one above it where it is not there."""
    node, line = yaml.compose(text, Loader=_Loader), 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


class _Loader(yaml.SafeLoader):
    """A safe loader that knows JSON's scalars and refuses a key that is there twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{key.value}` is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back unchanged; several lines as a block."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _LINE_ENDS.search(text):
        style = '"'  # PyYAML writes these as line ends in other styles, and reads them as \n
    elif "\n" in text:
        style = "|"
    elif _OTHERS.resolve(yaml.ScalarNode, text, (True, False)) != _TEXT:  # type: ignore[no-untyped-call] # not in the stubs
        style = "'"  # other readers of YAML would take it for a date or a truth value
    return dumper.represent_scalar(_TEXT, text, style=style)


_Dumper.add_representer(str, _represent_text)
for _tag, (_pattern, _first) in _SCALARS.items():
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _scalars(node: yaml.Node) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        return [node]
    children = (
        node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    )
    return [scalar for child in children for scalar in _scalars(child)]


def _refuse_lost_words(text: str, scalar: yaml.ScalarNode) -> None:
    # `subject: Order #{{ number }}` would silently become `Order`.
    if scalar.style is None and re.match(r"[ \t]+#[^\s#]", text[scalar.end_mark.index :]):
        raise yaml.MarkedYAMLError(
            problem="` #` begins a comment, so what follows would be lost; put the value in quotes",
            problem_mark=scalar.end_mark,
        )


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    words = error.problem or str(error)
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    if mark and mark.line < len(lines) and re.search(r":\s+(\{\{|\{%|\S.*:\s)", lines[mark.line]):
        words += "; put a value with `: `, or that begins with `{`, in quotes"
    return words

"""Layouts and partials put in their places once, so that what is made of a template is made of all of it.

`{% include "name" %}` gives way to the partial's source and `{% extends "name" %}` to the layout with
its blocks filled in; the engine would do the same at each render. `{% import %}` stays: a macro is
called with values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tidings.templates.compiling.tags import Statement, is_statement, trimmed

MAX_EXPANDED = 1024 * 1024
"""Characters a field may come to with its partials in place."""

MAX_STEPS = 10_000
"""Partials and blocks put in place in one field: empty ones that double at each level have no length."""

MAX_DEPTH = 20
"""Partials inside one another."""

_NAME = r"\(?\s*(?:\"([^\"\\]*)\"|'([^'\\]*)')\s*\)?"
_NAMED = re.compile(rf"{_NAME}(\s+ignore\s+missing)?\s*")
_IMPORTED = re.compile(rf"{_NAME}\s+(?:as|import)\b.*", re.DOTALL)
_SUPER = re.compile(r"\{\{\s*super\(\)\s*\}\}")
_BINDING = frozenset({"set", "import", "from", "macro", "include"})
_PRINTS = {"call": "endcall", "filter": "endfilter"}


class ExpansionError(ValueError):
    """A partial that is not there, includes itself, or is not named by a plain string."""


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    inside: "list[_Node]" = field(default_factory=list)


_Node = str | _Block
_Overrides = Mapping[str, Sequence[_Block]]


class Expansion:
    """Puts partials in their places.

    `used` are those met so far, by name; `imported` the names of those that were not put in a place
    but imported, or are used by one that was.
    """

    def __init__(self, partials: Mapping[str, str]) -> None:
        self._partials = partials
        self._left = MAX_EXPANDED
        self._steps = 0
        self.used: dict[str, str] = {}
        self.imported: set[str] = set()

    def expand(self, source: str) -> str:
        """The source with its layout and its partials in place.

        Raises:
            ExpansionError: a partial cannot be put in its place, or the result is too long.
        """
        self._left, self._steps = MAX_EXPANDED, 0
        try:
            return "".join(self._spend(self._pieces(source, ())))
        except RecursionError:
            raise ExpansionError("its blocks and partials are nested too deep") from None

    def _pieces(self, source: str, trail: tuple[str, ...]) -> Iterator[str]:
        """What the source comes to, piece by piece. `trail`: the partials that led here, outermost first."""
        nodes = _parse(source)
        layout, nodes = _layout(nodes)
        overrides: dict[str, list[_Block]] = {}
        _collect(nodes, overrides)
        while layout is not None:
            yield from self._write(_silent(nodes), trail, overrides)
            source, trail = self._partial(layout, trail)
            layout, nodes = _layout(_parse(source))
            _collect(nodes, overrides)
        yield from self._write(nodes, trail, overrides)

    def _spend(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            self._left -= len(piece)
            if self._left < 0:
                raise ExpansionError(f"with its partials it is longer than {MAX_EXPANDED:,} characters")
            yield piece

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise ExpansionError(f"it puts more than {MAX_STEPS:,} partials and blocks in place")

    def _write(
        self,
        nodes: Sequence[_Node],
        trail: tuple[str, ...],
        overrides: _Overrides,
        versions: Sequence[_Block] = (),
    ) -> Iterator[str]:
        """`versions`: what stands behind the block that is being written, for `super()`."""
        for node in nodes:
            if isinstance(node, _Block):
                yield from self._write_block(overrides[node.name], trail, overrides)
            elif versions and _SUPER.fullmatch(node):
                yield from self._write_block(versions, trail, overrides)
            elif is_statement(node):
                yield from self._write_statement(node, trail)
            else:
                yield node

    def _write_block(
        self, versions: Sequence[_Block], trail: tuple[str, ...], overrides: _Overrides
    ) -> Iterator[str]:
        self._step()
        block, *behind = versions
        inside = self._write(block.inside, trail, overrides, behind)
        if any(isinstance(node, str) and Statement(node).word in _BINDING for node in block.inside):
            # The names that a block binds are its own.
            yield "{% with %}"
            yield from inside
            yield "{% endwith %}"
        else:
            yield from inside

    def _write_statement(self, tag: str, trail: tuple[str, ...]) -> Iterator[str]:
        statement = Statement(tag)
        if statement.word == "include":
            found = _NAMED.fullmatch(statement.rest)
            if found is None:
                raise ExpansionError(f"{tag}: a partial is named by a string in quotes")
            name = found[1] or found[2] or ""
            if name in self._partials or not found[3]:
                source, deeper = self._partial(name, trail)
                yield from self._pieces(source, deeper)
            return
        if statement.word in {"import", "from"}:
            self._imported(tag, statement, trail)
        elif statement.word == "extends":
            raise ExpansionError(f"{tag} must come before every other tag")
        yield tag

    def _imported(self, tag: str, statement: Statement, trail: tuple[str, ...]) -> None:
        found = _IMPORTED.fullmatch(statement.rest)
        if found is None:
            raise ExpansionError(f"{tag}: a partial is named by a string in quotes")
        name = found[1] or found[2] or ""
        source, deeper = self._partial(name, trail)
        outside, self.used = self.used, {name: source}
        for _ in self._pieces(source, deeper):  # its own partials are used as well
            pass
        self.imported |= self.used.keys()
        self.used = {**outside, **self.used}

    def _partial(self, name: str, trail: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        if name in trail:
            raise ExpansionError(f"the partial {name} includes itself: {' > '.join((*trail, name))}")
        if name not in self._partials:
            raise ExpansionError(f"there is no partial named {name}")
        if len(trail) == MAX_DEPTH:
            raise ExpansionError(f"its partials are nested deeper than {MAX_DEPTH}")
        self._step()
        self.used[name] = self._partials[name]
        return self._partials[name], (*trail, name)


def _parse(source: str) -> list[_Node]:
    """Text and tags, with what stands in a block inside its block. The blocks of a source are closed."""
    top: list[_Node] = []
    open_blocks: list[_Block] = []
    inside = top
    for piece in trimmed(source):
        statement = Statement(piece) if is_statement(piece) else None
        if statement and statement.word == "block":
            block = _Block(statement.rest.split()[0])
            inside.append(block)
            open_blocks.append(block)
            inside = block.inside
        elif statement and statement.word == "endblock":
            open_blocks.pop()
            inside = open_blocks[-1].inside if open_blocks else top
        elif piece:
            inside.append(piece)
    return top


def _layout(nodes: list[_Node]) -> tuple[str | None, list[_Node]]:
    """The name of the layout that the source extends, and the rest of the source."""
    for at, node in enumerate(nodes):
        if isinstance(node, str) and not node.startswith(("{%", "{{")):
            continue  # text and comments
        if isinstance(node, _Block) or (statement := Statement(node)).word != "extends":
            break
        found = _NAMED.fullmatch(statement.rest)
        if found is None:
            raise ExpansionError(f"{node}: a layout is named by a string in quotes")
        return found[1] or found[2] or "", nodes[at + 1 :]
    return None, nodes


def _collect(nodes: Sequence[_Node], overrides: dict[str, list[_Block]]) -> None:
    for node in nodes:
        if isinstance(node, _Block):
            overrides.setdefault(node.name, []).append(node)
            _collect(node.inside, overrides)


def _silent(nodes: Sequence[_Node]) -> list[_Node]:
    """What a source that extends a layout does beside its blocks: it sets names, and prints nothing."""
    kept: list[_Node] = []
    until, printing = "", False
    for node in nodes:
        if isinstance(node, _Block):
            continue
        statement = Statement(node)
        if until:
            if not printing:
                kept.append(node)
            if statement.word == until:
                until = ""
        elif statement.word in _PRINTS:
            until, printing = _PRINTS[statement.word], True
        elif statement.word and statement.word not in {"include", "raw"}:
            kept.append(node)
            takes_text = statement.word == "macro" or (statement.word == "set" and "=" not in statement.rest)
            until, printing = f"end{statement.word}" if takes_text else "", False
    return kept

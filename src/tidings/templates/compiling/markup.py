"""HTML with template tags in it, taken apart without changing a character of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tidings.templates.compiling.tags import TAG


def names(words: str) -> frozenset[str]:
    """The names of elements that `words` lists."""
    return frozenset(words.split())


VOID = names("area base br col embed hr img input link meta source track wbr")
"""Elements that have no end tag."""

_VALUE = rf"\"(?:{TAG}|[^\"])*+(?:\"|\Z)|'(?:{TAG}|[^'])*+(?:'|\Z)"
# Every alternative also ends where the source does: what is never closed is read once, not once per start.
_PIECE = re.compile(
    rf"(?P<tag>{TAG})"
    r"|(?P<comment><!--.*?(?:-->|\Z)|<[!?][^>]*+(?:>|\Z))"
    r"|(?P<raw><(?P<rawname>style|script|title|textarea)(?=[\s>/])(?P<rawhead>(?:{VALUE}|{TAG}|[^>\"'])*+)>"
    r"(?P<rawtext>.*?)(?:</(?P=rawname)\s*>|\Z))"
    r"|(?P<start><(?P<name>[a-z][^\s/>{]*)(?P<head>(?:{VALUE}|{TAG}|[^>\"'])*+)(?:>|\Z))"
    r"|(?P<end></(?P<endname>[a-z][^\s/>]*)[^>]*+(?:>|\Z))".replace("{VALUE}", _VALUE).replace("{TAG}", TAG),
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    rf"(?P<tag>{TAG})|(?P<name>[^\s\"'>/={{]+)(?:\s*=\s*(?P<value>{_VALUE}|(?:{TAG}|[^\s\"'>])+))?", re.DOTALL
)

Kind = Literal["tag", "comment", "raw", "start", "end"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A template tag, comment or doctype, start tag, end tag, or an element that holds no markup (`raw`).

    `name` is the element's, in lower case; `head` what stands between it and the `>`; `text` what a
    `raw` element holds. `begin`, `head_begin` and `end` are positions in the source.
    """

    kind: Kind
    begin: int
    end: int
    name: str = ""
    head: str = ""
    head_begin: int = 0
    text: str = ""

    def attributes(self) -> Iterator["Attribute"]:
        """The attributes, and the template tags between them as attributes without a name."""
        for found in _ATTRIBUTE.finditer(self.head):
            begin, end = (self.head_begin + position for position in found.span())
            yield Attribute((found["name"] or "").lower(), found["value"] or "", begin, end)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as it is written; `value` has the quotes that the source gives it."""

    name: str
    value: str
    begin: int
    end: int

    @property
    def quote(self) -> str:
        """The mark around the value, if there is one."""
        return self.value[:1] if self.value[:1] in {'"', "'"} else ""

    @property
    def text(self) -> str:
        """The value without its quotes."""
        return self.value[1:].removesuffix(self.quote) if self.quote else self.value


def pieces(source: str) -> Iterator[Piece]:
    """Everything in the source that is not text, in its order."""
    for found in _PIECE.finditer(source):
        begin, end = found.span()
        if found["raw"] is not None:
            name, head, at = found["rawname"].lower(), found["rawhead"], found.start("rawhead")
            yield Piece("raw", begin, end, name, head, at, found["rawtext"])
        elif found["start"] is not None:
            yield Piece("start", begin, end, found["name"].lower(), found["head"], found.start("head"))
        elif found["end"] is not None:
            yield Piece("end", begin, end, found["endname"].lower())
        else:
            yield Piece("tag" if found["tag"] is not None else "comment", begin, end)

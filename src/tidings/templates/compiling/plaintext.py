"""A text form made from the html, for mail clients and readers that show no html."""

import re
from collections.abc import Mapping
from html import unescape

from tidings.templates.compiling.markup import VOID, Piece, names, pieces
from tidings.templates.compiling.tags import TAGS, Statement, is_statement

_APART = names("blockquote dl figure h1 h2 h3 h4 h5 h6 ol p pre table ul")
_ON_ITS_LINE = names(
    "address article aside body center dd div dt fieldset footer form header hr html li main nav section"
    " tbody tfoot thead tr"
)
_UNSEEN = names("head template")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def text_from_html(html: str) -> str:
    """What a reader of the html would read, as a template of plain text.

    Paragraphs stand apart, list items have a dash or their number, links become `label (url)` and
    images their `alt`. Expressions and statements stay what they are; none may have a sign that trims.
    """
    reader = _Reader()
    at = 0
    for piece in pieces(html):
        reader.text(html[at : piece.begin])
        if piece.kind == "tag":
            reader.tag(html[piece.begin : piece.end])
        elif piece.kind == "start":
            reader.start(piece)
        elif piece.kind == "end":
            reader.end(piece.name)
        else:  # what branches and loops in a comment, or in a title, does so for what follows it
            reader.statements(html[piece.begin : piece.end])
        at = piece.end
    reader.text(html[at:])
    return reader.written()


class _Writer:
    """Writes text; the white space before it waits until there is text or a statement to put it before.

    Line breaks that stood before a statement are not repeated after it: so the break between the items
    of a list ends up inside the loop that makes them, and the blank line before the list outside.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._begun = False
        self._breaks = 0  # asked for
        self._broken = 0  # written since the last text
        self._space = False

    def space(self) -> None:
        self._space = True

    def line_break(self) -> None:
        self._breaks += 1

    def apart(self, breaks: int) -> None:
        self._breaks, self._space = max(self._breaks, breaks), False

    def text(self, text: str) -> None:
        self.statement(text)
        self._begun, self._broken = True, 0

    def statement(self, tag: str) -> None:
        if self._begun and self._breaks > self._broken:
            self.parts.append("\n" * (self._breaks - self._broken))
            self._broken = self._breaks
        elif self._begun and self._space and not self._broken:
            self.parts.append(" ")
        self._breaks, self._space = 0, False
        self.parts.append(tag)


class _Reader:
    """Turns elements into white space, bullets and addresses."""

    def __init__(self) -> None:
        self._out = _Writer()
        self._loops = 0
        self._unseen: list[str] = []
        self._lists: list[tuple[str, int, int]] = []
        self._links: list[tuple[str, int]] = []

    def written(self) -> str:
        return "".join(self._out.parts).strip() + "\n"

    def text(self, source: str) -> None:
        if self._unseen or not source:
            return
        if source[0].isspace():
            self._out.space()
        words = " ".join(unescape(source).split())
        if words:
            self._out.text(_plain(words))
            if source[-1].isspace():
                self._out.space()

    def tag(self, tag: str) -> None:
        if is_statement(tag):
            self._out.statement(tag)
            self._loops += {"for": 1, "endfor": -1}.get(Statement(tag).word, 0)
        elif tag.startswith("{{") and not self._unseen:
            self._out.text(tag)

    def statements(self, source: str) -> None:
        for tag in TAGS.findall(source):
            if is_statement(tag):
                self.tag(tag)

    def start(self, piece: Piece) -> None:
        given = {attribute.name: attribute.text for attribute in piece.attributes()}
        if piece.name == "body":
            self._unseen.clear()  # it ends a head that was never closed
        hidden = "hidden" in given or _HIDDEN.search(given.get("style", ""))
        if not (self._unseen or hidden or piece.name in _UNSEEN):
            self._seen(piece, given)
        elif piece.name not in VOID:
            self._unseen.append(piece.name)

    def _seen(self, piece: Piece, given: Mapping[str, str]) -> None:
        self._space_around(piece.name)
        match piece.name:
            case "br":
                self._out.line_break()
            case "hr":
                self._out.text("---")
                self._space_around("hr")
            case "img" if given.get("alt"):
                self._image(given["alt"])
            case "a":
                self._links.append((given.get("href", ""), len(self._out.parts)))
            case "ol" | "ul":
                self._lists.append((piece.name, 0, self._loops))
            case "li":
                self._out.text(self._bullet())
            case "td" | "th":
                self._out.space()

    def end(self, name: str) -> None:
        if self._unseen:
            if name in self._unseen:
                while self._unseen.pop() != name:
                    pass
            return
        if name == "a" and self._links:
            self._address(*self._links.pop())
        elif name in {"ol", "ul"} and self._lists:
            self._lists.pop()
        self._space_around(name)

    def _space_around(self, name: str) -> None:
        nested = name in {"ol", "ul"} and self._lists
        if name in _APART or name in _ON_ITS_LINE:
            self._out.apart(2 if name in _APART and not nested else 1)

    def _image(self, alt: str) -> None:
        self._out.space()
        self._out.text(_template(alt))
        self._out.space()

    def _bullet(self) -> str:
        kind, number, loops = self._lists[-1] if self._lists else ("ul", 0, 0)
        if self._lists:
            self._lists[-1] = (kind, number + 1, loops)
        # How often a loop makes an item is not known here.
        return f"{number + 1}. " if kind == "ol" and self._loops == loops else "- "

    def _address(self, href: str, begin: int) -> None:
        url = _template(href)
        label = "".join(self._out.parts[begin:]).strip()
        shown = url.removeprefix("mailto:").removeprefix("tel:")
        if not label and shown:
            self._out.text(shown)
        elif url and not url.startswith("#") and label not in {url, shown}:
            self._out.space()
            self._out.text(f"({shown})")


def _template(source: str) -> str:
    """An attribute's value as plain text: entities read, tags kept."""
    parts = TAGS.split(source)
    return "".join(part if at % 2 else _plain(unescape(part)) for at, part in enumerate(parts))


def _plain(text: str) -> str:
    """Text in which no brace can become a template tag."""
    return text.replace("{", '{{ "{" }}')

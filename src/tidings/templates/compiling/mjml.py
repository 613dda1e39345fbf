"""MJML to html, with the template tags in it kept where they were.

A statement between sections or columns is hidden from the translator in a comment; anywhere else a
tag is hidden as a word. Fonts are only fetched by the reader's mail client where the source names one.
"""

import re
from collections.abc import Iterator
from xml.parsers import expat

import mrml

from tidings.templates.compiling.markup import VOID, names, pieces
from tidings.templates.compiling.tags import TAGS, Tokens, is_statement

_OPTIONS = mrml.RenderOptions(fonts={})
_INCLUDES = mrml.ParserOptions(include_loader=mrml.noop_loader())
_POSITION = re.compile(r" in root template(?: at position (\d+):\d+)?")
_XML_PLACE = re.compile(r": line (\d+), column \d+")
_ENTITY = re.compile(r"&[^<;\s]*;?")
_WITH_TEXT = names(
    "mj-accordion-text mj-accordion-title mj-button mj-navbar-link mj-preview mj-raw mj-social-element"
    " mj-style mj-table mj-text mj-title"
)
_WITHOUT_TEXT = names(
    "mj-accordion mj-accordion-element mj-all mj-attributes mj-body mj-breakpoint mj-carousel"
    " mj-carousel-image mj-class mj-column mj-divider mj-font mj-group mj-head mj-hero mj-html-attribute"
    " mj-html-attributes mj-image mj-navbar mj-section mj-selector mj-social mj-spacer mj-wrapper"
)


class MjmlError(ValueError):
    """The source is not MJML. The message begins with the line, where that is known."""


def translate_mjml(source: str) -> tuple[str, str]:
    """The html that the MJML stands for, and the style sheet of its `<mj-style inline="inline">`.

    mrml would inline that sheet by parsing the html and writing it again, which moves tags in tables.

    Raises:
        MjmlError: it is not MJML, or a template tag stands where MJML drops it.
    """
    tokens = Tokens(source)
    bare, sheet = _without_inline_styles(source)
    hidden = "".join(_hidden(bare, tokens))
    try:
        html = mrml.to_html(hidden, _INCLUDES, _OPTIONS).content
    except OSError as error:  # what mrml raises for anything it cannot read
        raise MjmlError(_words(str(error), hidden, tokens)) from error
    lost = [tag for tag in tokens.lost(html) if is_statement(tag)]
    if lost:
        line = source[: source.index(lost[0])].count("\n") + 1
        raise MjmlError(f"line {line}: MJML drops {lost[0]} where it stands; put it in an mj-raw or a text")
    for comment in (f"<!--{tokens.pattern.pattern}-->", tokens.pattern.pattern):
        html = re.sub(comment, tokens.tag, html)
    return html, sheet


def _without_inline_styles(source: str) -> tuple[str, str]:
    kept, sheet, at, begin = [], [], 0, 0
    for piece in pieces(source):
        if piece.name != "mj-style":
            continue
        if piece.kind == "start" and any(each.name == "inline" for each in piece.attributes()):
            kept.append(source[at : piece.begin])
            begin = piece.end
        elif piece.kind == "end" and begin:
            sheet.append(source[begin : piece.begin])
            # The lines that faults name stay the source's.
            kept.append("\n" * source.count("\n", begin, piece.begin))
            at, begin = piece.end, 0
    return "".join([*kept, source[at:]]), "\n".join(sheet)


def _hidden(source: str, tokens: Tokens) -> Iterator[str]:
    """The source with tags as words, and elements that html need not close (`<br>`) closed."""
    inside, at = "", 0
    for piece in pieces(source):
        yield source[at : piece.begin]
        at = piece.end
        written = source[piece.begin : piece.end]
        if piece.kind == "tag":
            yield _word(written, tokens, bare=bool(inside))
            continue
        if piece.name.startswith("mj-"):
            _known(piece.name, source, piece.begin)
        if piece.kind == "start" and piece.name in _WITH_TEXT and not written.endswith("/>"):
            inside = inside or piece.name
        elif piece.kind == "end" and piece.name == inside:
            inside = ""
        elif piece.kind == "start" and piece.name in VOID and not written.endswith("/>"):
            written = f"{written.removesuffix('>')}/>"
        yield TAGS.sub(lambda tag: _word(tag[0], tokens, bare=True), written)
    yield source[at:]


def _word(tag: str, tokens: Tokens, *, bare: bool) -> str:
    if tag.startswith("{#"):
        return ""
    return tokens.hide(tag) if bare else f"<!--{tokens.hide(tag)}-->"


def _known(name: str, source: str, begin: int) -> None:
    if name not in _WITH_TEXT and name not in _WITHOUT_TEXT:
        line = source.count("\n", 0, begin) + 1
        hint = "; use {% include %} instead" if name == "mj-include" else ""
        raise MjmlError(f"line {line}: {name} is not an element that is understood{hint}")


def _words(message: str, hidden: str, tokens: Tokens) -> str:
    found = _POSITION.search(message)
    words = _POSITION.sub("", message)
    if found and found[1]:
        before = hidden.encode()[: int(found[1])].decode(errors="ignore")
        return f"line {_lines(before, tokens)}: {words}"
    return _second_opinion(hidden, tokens) or words


def _second_opinion(hidden: str, tokens: Tokens) -> str | None:
    """Where the source is not XML, and why: mrml does not always say."""
    parser = expat.ParserCreate()
    try:
        parser.Parse(_ENTITY.sub("", hidden), True)
    except expat.ExpatError as error:
        before = "\n".join(hidden.split("\n")[: error.lineno])
        return f"line {_lines(before, tokens)}: {_XML_PLACE.sub('', str(error))}; MJML is XML"
    return None


def _lines(before: str, tokens: Tokens) -> int:
    """The line of the source on which the hidden source's beginning `before` ends."""
    return tokens.restore(before).count("\n") + 1

"""Style sheets copied into `style` attributes, because some mail clients drop style sheets.

The source itself is never parsed and written again: a parser would move what stands between the rows
of a table, and drop tags that a branch opens. The parser sees a shadow of it (elements, attributes and
style sheets without template tags); what it finds for each element is put into the source. The style
sheets stay too: media queries, dark mode and states such as `:hover` cannot be inlined.
"""

from collections.abc import Iterator
from html.parser import HTMLParser

from css_inline import CSSInliner, InlineError

from tidings.templates.compiling.markup import Attribute, Piece, pieces
from tidings.templates.compiling.tags import TAGS, Tokens

_MARK = "data-tidings-element"
_INLINER = CSSInliner(load_remote_stylesheets=False)
_QUOTE = '"'
_ENTITIES = {'"': "&quot;", "'": "&#x27;"}
_SELECTED_BY = frozenset({"class", "id"})


def inline_css(source: str, sheet: str | None = None) -> str:
    """The source with the rules of its `<style>` elements in the `style` of the elements they select.

    With `sheet`, the rules of that style sheet alone. Left alone are elements that a template tag gives
    another class, id or attributes from render to render, and style sheets that hold statements or are
    for some media only. No style sheet is fetched.
    """
    found = list(pieces(source))
    sheets = [piece.text for piece in found if _is_sheet(piece)] if sheet is None else [sheet]
    if not any(sheets):
        return source
    tokens = Tokens(source + "".join(sheets))
    shadow = [f"<style>{tokens.hide_all(each)}</style>" for each in sheets] + list(_shadow(found))
    styles = _Styles()
    try:
        styles.feed(_INLINER.inline("".join(shadow)))
    except InlineError:  # a style sheet that cannot be read is left to the mail clients
        return source
    written, at = [], 0
    for number, style in sorted(styles.by_element.items()):
        begin, end, text = _styled(found[number], style, tokens)
        written += [source[at:begin], text]
        at = end
    return "".join([*written, source[at:]])


class _Styles(HTMLParser):
    """Reads the style that was found for each marked element."""

    def __init__(self) -> None:
        super().__init__()
        self.by_element: dict[int, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        given = dict(attrs)
        if (number := given.get(_MARK)) and (style := given.get("style")):
            self.by_element[int(number)] = style


def _shadow(found: list[Piece]) -> Iterator[str]:
    """The elements without text. Those that are to be styled carry their position in `found`."""
    for number, piece in enumerate(found):
        if piece.kind == "start":
            yield f"<{piece.name}{_shadow_head(piece, number)}>"
        elif piece.kind == "end":
            yield f"</{piece.name}>"


def _shadow_head(piece: Piece, number: int) -> str:
    attributes = list(piece.attributes())
    if any(_varies(attribute) for attribute in attributes):
        return ""
    kept = [_without_tags(attribute) for attribute in attributes if attribute.name != "style"]
    return "".join([*kept, f' {_MARK}="{number}"', "/" if piece.head.endswith("/") else ""])


def _varies(attribute: Attribute) -> bool:
    tags = TAGS.findall(attribute.value)
    return (
        not attribute.name
        or (attribute.name in _SELECTED_BY and bool(tags))
        or (attribute.name != "style" and any(tag.startswith("{%") for tag in tags))
    )


def _without_tags(attribute: Attribute) -> str:
    value = TAGS.sub("", attribute.value)
    return f" {attribute.name}={value}" if value else f" {attribute.name}"


def _is_sheet(piece: Piece) -> bool:
    return (
        piece.kind == "raw"
        and piece.name == "style"
        and not any(attribute.name in {"", "media"} for attribute in piece.attributes())
        and not any(tag.startswith("{%") for tag in TAGS.findall(piece.text))
    )


def _styled(piece: Piece, style: str, tokens: Tokens) -> tuple[int, int, str]:
    """Where the style goes in the source, and the attribute to put there: what was written comes last."""
    style = style.strip().removesuffix(";")
    for attribute in piece.attributes():
        if attribute.name == "style" and attribute.value:
            quote = attribute.quote or _QUOTE
            found = tokens.restore(_escaped(style, quote))
            return attribute.begin, attribute.end, f"style={quote}{found}; {attribute.text}{quote}"
    return piece.head_begin, piece.head_begin, f' style="{tokens.restore(_escaped(style, _QUOTE))}"'


def _escaped(style: str, quote: str) -> str:
    return style.replace("&", "&amp;").replace(quote, _ENTITIES[quote])

"""The line that mail clients show beside the subject, hidden at the top of the body."""

from html import escape

from tidings.templates.compiling.markup import pieces
from tidings.templates.compiling.tags import TAGS

_HIDDEN = (
    "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;"
    "mso-hide:all"
)
# Clients fill the line up with the text that follows; these print nothing and keep it from following.
_PADDING = "&#847;&zwnj;&nbsp;" * 90


def add_preheader(html: str, preheader: str) -> str:
    """The html with `preheader`, a template of plain text, as the first thing in its body."""
    words = "".join(
        part if at % 2 else escape(part, quote=False) for at, part in enumerate(TAGS.split(preheader))
    )
    at = _top_of_body(html)
    return f'{html[:at]}<div style="{_HIDDEN}">{words}{_PADDING}</div>{html[at:]}'


def _top_of_body(html: str) -> int:
    at = 0
    for piece in pieces(html):
        if piece.kind == "start" and piece.name == "body":
            return piece.end
        if (piece.kind, piece.name) in {("end", "head"), ("start", "html")}:
            at = piece.end
    return at

"""The page itself."""

import html
import re
from base64 import b64encode
from collections import defaultdict
from hashlib import sha256
from importlib.resources import files
from typing import Any

from minijinja import Environment, safe

from tidings.kit.api_page.reading import Operation, named_types_in, operations_in


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\[\]]+)\]\(([\w./#-]+)\)")
"""A Markdown link to a place of our own: there is no room for a scheme in it."""
_STYLE = _source("page.css")
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_of(document: dict[str, Any], *, json_url: str) -> str:
    """The description as HTML. `json_url` is where programs find it."""
    by_tag: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations_in(document):
        by_tag[operation.tag].append(operation)
    environment = Environment(loader=_source, filters={"prose": _prose}, trim_blocks=True, lstrip_blocks=True)
    return environment.render_template(
        "page.html",
        title=document["info"]["title"],
        version=document["info"]["version"],
        description=document["info"].get("description", ""),
        tags=[{"name": name, "operations": operations} for name, operations in by_tag.items()],
        types=named_types_in(document),
        json_url=json_url,
        style=safe(_STYLE),
    )


def _prose(text: str) -> str:
    """Paragraphs, links, and `code` between backticks: as much of Markdown as our descriptions use."""
    escaped = (html.escape(part) for part in text.split("\n\n") if part)
    linked = (_LINK.sub(r'<a href="\2">\1</a>', part) for part in escaped)
    marked = (_CODE.sub(r"<code>\1</code>", part) for part in linked)
    return safe("".join(f"<p>{part}</p>" for part in marked))

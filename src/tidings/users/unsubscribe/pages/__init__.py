"""The recipient's pages: HTML that needs no script, loads nothing, and may be framed by no one."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

from litestar import MediaType, Response
from minijinja import Environment

from tidings.users.unsubscribe.words import Language


def _source(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")


_STYLE = _source("style.css")
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_ENVIRONMENT = Environment(loader=_source, globals={"style": _STYLE})

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    # The address is the credential: it must not be kept, told to another site, or found by a search.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


def page(
    name: str,
    language: Language,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """The page `name` with `values` in it, all of them escaped."""
    html = _ENVIRONMENT.render_template(name, language=language, words=language.words, **values)
    sent = {**HEADERS, "Content-Language": language.tag, **(headers or {})}
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=sent)

"""The demo's pages, and the push service's scripts from the same origin, as browsers want a worker's."""

from collections.abc import Mapping
from importlib.resources import files

import aiohttp
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from tidings.kit.errors import Unavailable

SECONDS = 5
JAVASCRIPT = "text/javascript"

OWN = {"demo.css": MediaType.CSS, "demo.js": JAVASCRIPT, "worker.js": JAVASCRIPT}
FETCHED = ("sw.js", "subscribe.js", "public-key")

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def demo_routes(push_url: str | None) -> list[HTTPRouteHandler]:
    """The routes below `/demo`. `push_url`: the push service, whose scripts the page cannot do without."""
    page = _serve("/demo", "demo.html", MediaType.HTML, _PAGE_HEADERS)
    own = [_serve(f"/demo/{name}", name, kind, _HEADERS) for name, kind in OWN.items()]
    return [page, *own, *(_fetch(name, push_url) for name in FETCHED)]


def _serve(path: str, name: str, media_type: str, headers: Mapping[str, str]) -> HTTPRouteHandler:
    content = files(__package__).joinpath(name).read_bytes()

    @get(path, include_in_schema=False)
    async def show() -> Response[bytes]:
        return Response(content, media_type=media_type, headers=headers)

    return show


def _fetch(name: str, push_url: str | None) -> HTTPRouteHandler:
    url = None if push_url is None else f"{push_url.rstrip('/')}/webpush/{name}"

    @get(f"/demo/{name}", include_in_schema=False)
    async def hand_on() -> Response[bytes]:
        if url is None:
            words = "The demo needs the push service: set TIDINGS_SIMULATOR_PUSH_URL, such as http://127.0.0.1:8004"
            raise Unavailable(words, code="push_unavailable")
        return await _answer(url)

    return hand_on


async def _answer(url: str) -> Response[bytes]:
    limit = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
            return Response(
                await answer.read(),
                status_code=answer.status,
                headers={**_HEADERS, "Content-Type": answer.headers.get("Content-Type", "")},
            )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        words = f"The push service does not answer at {url}: {error!r}"
        raise Unavailable(words, code="push_unavailable") from error

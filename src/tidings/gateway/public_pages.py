"""`/unsubscribe/…` and `/preferences/…`: pages of the user service for recipients, who hold no API key.

The path itself is the credential; the user service checks it.
"""

from typing import Any
from urllib.parse import quote

import aiohttp
import structlog
from litestar import MediaType, Request, Response, route
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from yarl import URL

from tidings.kit.requests import UNLOGGED_PATH
from tidings.kit.telemetry import trace_headers

SECONDS = 10
MAX_FORM_BYTES = 64 * 1024
SENT_HEADERS = ("accept-language", "content-type")
KEPT_HEADERS = (
    "cache-control",
    "content-language",
    "content-security-policy",
    "content-type",
    "referrer-policy",
    "retry-after",
    "x-content-type-options",
    "x-robots-tag",
)

# Plain text: the words in the recipient's language are the user service's, which does not answer.
_UNAVAILABLE = b"This page is not available just now. Please try again in a few minutes.\n"

log = structlog.get_logger(__name__)


class PublicPages:
    """Fetches pages from the user service at `base_url`."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def fetch(self, page: str, token: str, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The page as the user service shows it, or a 503 that asks for patience."""
        url = URL(f"{self._base_url}/{page}/{quote(token, safe='')}", encoded=True)
        sent = {name: request.headers[name] for name in SENT_HEADERS if name in request.headers}
        form = await request.body()
        try:
            async with self._session.request(
                request.method,
                url,
                data=form,
                headers={**trace_headers(), **sent},
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                allow_redirects=False,
            ) as answer:
                shown = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("public_page_unavailable", page=page, error=repr(error))
            headers = {"Retry-After": "60", "Cache-Control": "no-store"}
            return Response(_UNAVAILABLE, status_code=503, media_type=MediaType.TEXT, headers=headers)
        kept = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        return Response(shown, status_code=answer.status, headers=kept)


def public_page(page: str) -> HTTPRouteHandler:
    """A route for the pages below `/<page>`."""

    @route(
        f"/{page}/{{token:str}}",
        http_method=["GET", "POST"],
        status_code=200,
        include_in_schema=False,
        request_max_body_size=MAX_FORM_BYTES,
        opt={UNLOGGED_PATH: True},
    )
    async def show(
        token: FromPath[str], request: Request[Any, Any, Any], public_pages: NamedDependency[PublicPages]
    ) -> Response[bytes]:
        return await public_pages.fetch(page, token, request)

    return show


PUBLIC_PAGES = [public_page("unsubscribe"), public_page("preferences")]

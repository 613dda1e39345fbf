"""`/webpush/…`: the service worker, the subscribe script and the public key, for anybody."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from tidings.kit.errors import NotFound

JAVASCRIPT = "text/javascript"
SCRIPT_SECONDS = 3600
KEY_SECONDS = 300
"""A browser that subscribes with a key of yesterday gets nothing, so it is kept for a shorter time."""

# A module, and what a script fetches, is only for the origins named here. A worker has to come from the
# site's own origin, or through `importScripts`, which asks for no leave.
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


def routes(public_key: str | None) -> list[HTTPRouteHandler]:
    """The public routes. `public_key`: the VAPID key in base64url, None where no provider is Web Push."""
    worker = _script("sw.js", {})
    module = _script("subscribe.js", _ANY_ORIGIN)

    @get("/webpush/public-key", include_in_schema=False)
    async def show_public_key(request: Request[Any, Any, Any]) -> Response[bytes]:
        if public_key is None:
            raise NotFound("This push service has no Web Push provider, and so no key", code="no_web_push")
        content = public_key.encode()
        return _cacheable(request, content, MediaType.TEXT, KEY_SECONDS, _ANY_ORIGIN)

    return [worker, module, show_public_key]


def _script(name: str, headers: Mapping[str, str]) -> HTTPRouteHandler:
    content = files(__package__).joinpath(name).read_bytes()

    @get(f"/webpush/{name}", include_in_schema=False)
    async def show(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _cacheable(request, content, JAVASCRIPT, SCRIPT_SECONDS, headers)

    return show


def _cacheable(
    request: Request[Any, Any, Any],
    content: bytes,
    media_type: str,
    seconds: int,
    headers: Mapping[str, str],
) -> Response[bytes]:
    """The content, or 304 where the caller has it (RFC 9110, section 13.1.2)."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    sent = {
        "Cache-Control": f"public, max-age={seconds}",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    known = request.headers.get("if-none-match", "")
    if etag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
    return Response(content, media_type=media_type, headers=sent)

"""What the push service serves to browsers, and how."""

from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from support.servers import client_of
from tidings.kit.problems import render_problem
from tidings.push.browser.routes import routes
from tidings.push.keys import make_vapid_keys

JAVASCRIPT = "text/javascript; charset=utf-8"
PUBLIC_KEY = make_vapid_keys().public


def app(public_key: str | None) -> Litestar:
    return Litestar(routes(public_key), exception_handlers={Exception: render_problem}, openapi_config=None)


@pytest.fixture
async def push() -> AsyncIterator[httpx.AsyncClient]:
    """A push service with a Web Push provider."""
    async with client_of(app(PUBLIC_KEY)) as client:
        yield client


@pytest.mark.parametrize(
    ("name", "media_type", "origins"),
    [
        ("sw.js", JAVASCRIPT, None),
        ("subscribe.js", JAVASCRIPT, "*"),
        ("public-key", "text/plain; charset=utf-8", "*"),
    ],
)
async def test_what_is_served(
    push: httpx.AsyncClient, name: str, media_type: str, origins: str | None
) -> None:
    """The right type, for any cache; what scripts load from other origins is allowed to all."""
    answer = await push.get(f"/webpush/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"].startswith("public, max-age=")
    assert answer.headers.get("access-control-allow-origin") == origins


async def test_the_key(push: httpx.AsyncClient) -> None:
    """It is the one that pushes are signed with, in base64url."""
    assert (await push.get("/webpush/public-key")).text == PUBLIC_KEY


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
async def test_what_a_cache_has_is_not_sent_again(push: httpx.AsyncClient, form: str) -> None:
    """A cache that asks with the entity tag gets 304 and no body; with another one, the whole."""
    etag = (await push.get("/webpush/sw.js")).headers["etag"]
    again = await push.get("/webpush/sw.js", headers={"If-None-Match": form.format(etag)})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = await push.get("/webpush/sw.js", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


async def test_without_a_web_push_provider() -> None:
    """There is no key, and the answer says why."""
    async with client_of(app(None)) as client:
        answer = await client.get("/webpush/public-key")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_web_push")

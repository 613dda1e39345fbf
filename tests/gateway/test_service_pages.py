"""What the gateway hands on is described at the gateway, as its own callers write it."""

import re
from html import unescape

import httpx
import pytest

from gateway.conftest import OpenGateway
from gateway.test_refusals import assert_problem
from tidings.gateway.forwarding import FORWARDED

NOBODY = "http://127.0.0.1:9"
NO_ONE = "01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a"


@pytest.mark.parametrize(("service", "names"), FORWARDED.items())
async def test_a_service_is_described(
    gateway: httpx.AsyncClient, service: str, names: tuple[str, ...]
) -> None:
    """The gateway's page leads to the service's, which has each path that is handed on, and no other."""
    assert f'href="schema/{service}"' in (await gateway.get("/schema")).text
    page = await gateway.get(f"/schema/{service}")
    shown = unescape(page.text)
    link = re.search(r'href="([^"]+\.json)"', shown)
    assert link is not None
    document = (await gateway.get(str(page.url.join(link[1])))).json()
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert {path.split("/")[2] for path in document["paths"]} == set(names)
    assert all(path.startswith("/v1/") and f"<code>{path}</code>" in shown for path in document["paths"])


async def test_a_described_path_is_one_to_call(gateway: httpx.AsyncClient) -> None:
    """What the description names can be asked for as it says, with the caller's own key."""
    document = (await gateway.get("/schema/users/openapi.json")).json()
    path = next(path for path in document["paths"] if path.startswith("/v1/users/{") and path.endswith("}"))
    assert_problem(await gateway.get(re.sub(r"\{[^}]+\}", NO_ONE, path)), 404, "unknown_user")


async def test_a_service_that_is_down(open_gateway: OpenGateway) -> None:
    """While nothing is known of a service, its page says that it does not answer; the others are there."""
    async with open_gateway(users_url=NOBODY) as gateway:
        assert_problem(await gateway.get("/schema/users"), 503, "users_unavailable")
        assert (await gateway.get("/schema/templates")).status_code == 200
        assert (await gateway.get("/schema")).status_code == 200

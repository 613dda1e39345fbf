"""The recipient's pages through the gateway, all that a recipient's browser and mail program can reach."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from gateway.conftest import OpenGateway
from support.ports import free_port
from support.servers import SERVICE_SECRET
from support.world import World, fresh_address
from tidings.client.links import preferences_path, unsubscribe_path

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(scope="module")
async def recipient(open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has no API key."""
    async with open_gateway() as client:
        del client.headers["Authorization"]
        yield client


@pytest.fixture
async def person(world: World) -> UUID:
    """Someone who reads German."""
    return UUID(await world.add_user(email=fresh_address(), locale="de"))


async def test_the_page_and_the_one_click(recipient: httpx.AsyncClient, world: World, person: UUID) -> None:
    """Without a key, the link shows its page, and a mail program's click ends the emails."""
    path = unsubscribe_path(SERVICE_SECRET, person, "marketing")
    page = await recipient.get(path)
    click = await recipient.post(path, data=ONE_CLICK)
    preferences = (await world.users.http.get(f"/users/{person}")).json()["preferences"]
    assert (page.status_code, click.status_code) == (200, 200)
    assert "Abbestellen" in page.text
    assert preferences["categories"]["marketing"]["email"] is False


async def test_the_preference_centre_is_saved(
    recipient: httpx.AsyncClient, world: World, person: UUID
) -> None:
    """A form goes through, and its answer comes back."""
    path = preferences_path(SERVICE_SECRET, person)
    assert "<form" in (await recipient.get(path)).text
    saved = await recipient.post(path, data={"channel": "push"})
    preferences = (await world.users.http.get(f"/users/{person}")).json()["preferences"]
    assert "Deine Einstellungen sind gespeichert" in saved.text
    assert (preferences["email"], preferences["push"]) == (False, True)


async def test_headers_that_protect_the_page_come_through(
    recipient: httpx.AsyncClient, world: World, person: UUID
) -> None:
    """The browser sees the same policy, and no trace of the address is kept, as at the service itself."""
    path = preferences_path(SERVICE_SECRET, person)
    direct, through = await world.users.http.get(path), await recipient.get(path)
    for name in (
        "cache-control",
        "content-language",
        "content-security-policy",
        "content-type",
        "referrer-policy",
        "x-content-type-options",
        "x-robots-tag",
    ):
        assert through.headers[name] == direct.headers[name]
    assert through.content == direct.content


async def test_a_broken_link_is_a_page(recipient: httpx.AsyncClient) -> None:
    """A link that was cut off is explained in the language that the browser asks for."""
    answer = await recipient.get("/unsubscribe/cut-off", headers={"Accept-Language": "fr"})
    assert answer.status_code == 404
    assert "Ce lien ne fonctionne pas" in answer.text


@pytest.mark.parametrize("token", ["..", "%2e%2e", "..%2fusers", "x%2f..%2f..%2fmetrics", "%3Fa=b", "%00"])
async def test_only_pages_can_be_reached(recipient: httpx.AsyncClient, token: str) -> None:
    """No token climbs out to what the user service keeps for callers with a credential."""
    for path in (f"/unsubscribe/{token}", f"/preferences/{token}"):
        assert (await recipient.get(path)).status_code == 404


async def test_a_form_may_be_64_kib(recipient: httpx.AsyncClient, person: UUID) -> None:
    """A larger body is refused before it reaches the user service."""
    path = preferences_path(SERVICE_SECRET, person)
    assert (await recipient.post(path, data={"x": "x" * 70_000})).status_code == 413


async def test_the_user_service_is_down(open_gateway: OpenGateway, person: UUID) -> None:
    """The recipient is asked in plain words to try again; a mail program sees a 503, and may."""
    async with open_gateway(users_url=f"http://127.0.0.1:{free_port()}") as gateway:
        answer = await gateway.post(unsubscribe_path(SERVICE_SECRET, person, None), data=ONE_CLICK)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "try again" in answer.text

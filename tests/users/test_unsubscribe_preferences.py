"""The preference centre: where recipients choose what they get, without an account or a script."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from support.servers import SERVICE_SECRET
from tidings.client.links import preferences_path, unsubscribe_path
from users.pages import Page, page_of

AddUser = Callable[..., Awaitable[str]]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True, scope="module")
async def categories(users: httpx.AsyncClient) -> None:
    """Beside those that are built in: one that is off by default, and one whose words are hostile."""
    bodies: dict[str, dict[str, Any]] = {
        "digest": {"name": "Weekly digest", "push": False},
        "hostile": {"name": "</legend><script>alert(1)</script>", "description": '"><img src=x>'},
    }
    for category_id, body in bodies.items():
        answer = await users.put(f"/categories/{category_id}", json=body)
        assert answer.is_success, answer.text


@pytest.fixture
async def user_id(add_user: AddUser) -> str:
    return await add_user()


@pytest.fixture
def path(user_id: str) -> str:
    """Where the person's preference centre is."""
    return preferences_path(SERVICE_SECRET, UUID(user_id))


async def opened(users: httpx.AsyncClient, path: str) -> Page:
    answer = await users.get(path)
    assert answer.status_code == 200
    return page_of(answer)


async def held(users: httpx.AsyncClient, user_id: str) -> dict[str, Any]:
    return dict((await users.get(f"/users/{user_id}")).json()["preferences"])


async def test_it_shows_what_is_so(users: httpx.AsyncClient, user_id: str, path: str) -> None:
    """Channels and categories have switches, as chosen or as by default; what is required has none."""
    choices = {"push": False, "categories": {"marketing": {"email": False}}}
    await users.put(f"/users/{user_id}/preferences", json=choices)
    page = await opened(users, path)
    assert page.switches == {
        ("channel", "email"): True,
        ("channel", "push"): False,
        ("on", "general/email"): True,
        ("on", "general/push"): True,
        ("on", "marketing/email"): False,
        ("on", "marketing/push"): True,
        ("on", "digest/email"): True,
        ("on", "digest/push"): False,
        ("on", "hostile/email"): True,
        ("on", "hostile/push"): True,
    }
    assert page.words.count("Always on") == 2


async def test_looking_and_saving_unchanged_keeps_everything(
    users: httpx.AsyncClient, user_id: str, path: str
) -> None:
    """What nobody touched goes on following the defaults, whatever they become."""
    before = await held(users, user_id)
    page = await opened(users, path)
    assert (await users.post(path, data=page.form())).status_code == 200
    assert await held(users, user_id) == before


async def test_what_is_switched_is_kept(users: httpx.AsyncClient, user_id: str, path: str) -> None:
    """Only the switches turned become choices; the answer says that they are saved, and shows them."""
    page = await opened(users, path)
    sent = page.form(marketing_email=False, digest_push=True, channel_push=False)
    answer = await users.post(path, data=sent)
    shown = page_of(answer)

    assert answer.status_code == 200
    assert "Your settings are saved" in shown.words
    assert shown.form() == sent
    after = await held(users, user_id)
    assert (after["email"], after["push"]) == (True, False)
    assert after["categories"] == {
        "marketing": {"email": False, "push": None},
        "digest": {"email": None, "push": True},
    }


async def test_quiet_hours_are_kept(users: httpx.AsyncClient, user_id: str, path: str) -> None:
    """What the page does not show, it does not change."""
    wishes = {
        "quiet_hours": [{"start": "22:00", "end": "07:00"}],
        "frequency_caps": [{"most": 1, "per": "day"}],
    }
    before = (await users.put(f"/users/{user_id}/preferences", json=wishes)).json()
    page = await opened(users, path)
    await users.post(path, data=page.form(channel_email=False))
    assert await held(users, user_id) == before | {"email": False}


async def test_a_category_that_was_not_shown_is_not_switched_off(
    users: httpx.AsyncClient, user_id: str, path: str
) -> None:
    """A category added while the page was open is not in the form, and that is no choice."""
    page = await opened(users, path)
    await users.put("/categories/added-later", json={"name": "Added later"})
    await users.post(path, data=page.form(marketing_email=False))
    await users.delete("/categories/added-later")
    assert (await held(users, user_id))["categories"] == {"marketing": {"email": False, "push": None}}


@pytest.mark.parametrize(
    "sent",
    [
        "channel=email&channel=push&shown=security&shown=transactional",
        "channel=email&channel=push&shown=unknown&on=unknown/email&on=marketing&on=/&x=%00",
    ],
    ids=["required ones off", "what there is not"],
)
async def test_a_form_of_ones_own_making_does_no_harm(
    users: httpx.AsyncClient, user_id: str, path: str, sent: str
) -> None:
    """Required categories stay on, and what the page does not have is passed over."""
    before = await held(users, user_id)
    assert (await users.post(path, content=sent, headers=FORM)).status_code == 200
    assert await held(users, user_id) == before


async def test_the_words_of_categories_are_escaped(users: httpx.AsyncClient, path: str) -> None:
    """A category's name and description are text, whatever they hold."""
    answer = await users.get(path)
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert "</legend><script>alert(1)</script>" in page_of(answer).words


async def test_the_unsubscribe_page_leads_here(users: httpx.AsyncClient, user_id: str, path: str) -> None:
    """Its link is relative, so it also holds behind a proxy that serves the gateway below a path."""
    asked = await users.get(unsubscribe_path(SERVICE_SECRET, UUID(user_id), "marketing"))
    (href,) = page_of(asked).links
    assert href.startswith("../")
    assert (
        httpx.URL(f"https://example.com/notify{asked.request.url.path}").join(href).path == f"/notify{path}"
    )


async def test_links_for_unsubscribing_do_not_open_it(users: httpx.AsyncClient, user_id: str) -> None:
    """A mail program that holds the unsubscribe link cannot change anything else with it."""
    token = unsubscribe_path(SERVICE_SECRET, UUID(user_id), "marketing").rsplit("/", 1)[-1]
    for answer in (await users.get(f"/preferences/{token}"), await users.post(f"/preferences/{token}")):
        assert answer.status_code == 404


async def test_two_at_once_lose_nothing(users: httpx.AsyncClient, user_id: str, path: str) -> None:
    """A save and a one-click that meet both count."""
    page = await opened(users, path)
    digest = unsubscribe_path(SERVICE_SECRET, UUID(user_id), "digest")
    sent = page.form(marketing_push=False)
    sent["shown"] = ["marketing"]
    await asyncio.gather(
        *(users.post(path, data=sent) for _ in range(3)), *(users.post(digest) for _ in range(3))
    )
    assert (await held(users, user_id))["categories"] == {
        "marketing": {"email": None, "push": False},
        "digest": {"email": False, "push": None},
    }

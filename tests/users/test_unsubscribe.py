"""Links in messages that end the messages: the page, its button, and the mail program's one click."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from support.servers import SERVICE_SECRET, client_of
from tidings.client.links import unsubscribe_path
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings
from users.pages import page_of

AddUser = Callable[..., Awaitable[str]]

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
NEW_SECRET = "the secret that came after the first one"


@pytest.fixture(scope="module")
async def browser(users_settings: UsersSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A recipient, who has no credential but the link. The service started after it replaced its secret."""
    settings = msgspec.structs.replace(
        users_settings, service_secret=NEW_SECRET, old_service_secrets=("x" * 32, SERVICE_SECRET)
    )
    async with open_app(settings) as app, client_of(app) as client:
        yield client


@pytest.fixture(scope="module")
async def news(users: httpx.AsyncClient) -> str:
    """A category that is on by default, with a name that would like to be markup."""
    body = {"name": '<b>News</b> & "offers"', "description": "<script>alert(1)</script>"}
    answer = await users.put("/categories/news", json=body)
    assert answer.is_success, answer.text
    return "news"


def link(user_id: str | UUID, category: str | None, secret: str = SERVICE_SECRET) -> str:
    return unsubscribe_path(secret, UUID(str(user_id)), category)


async def wishes(users: httpx.AsyncClient, user_id: str) -> dict[str, Any]:
    """What the person's contact says, which is what senders go by."""
    contact = (await users.get(f"/users/{user_id}/contact")).json()
    return dict(contact["preferences"])


async def test_looking_changes_nothing(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser, news: str
) -> None:
    """GET names the category and offers a button; scanners may open the link as often as they like."""
    user_id = await add_user()
    before = (await users.get(f"/users/{user_id}")).json()
    for _ in range(2):
        answer = await browser.get(link(user_id, news))
        page = page_of(answer)
        assert (answer.status_code, page.buttons) == (200, 1)
        assert '<b>News</b> & "offers"' in page.words
    assert (await users.get(f"/users/{user_id}")).json() == before


@pytest.mark.parametrize(
    "body",
    [
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ],
    ids=["one click, url-encoded", "one click, multipart", "the page's button"],
)
async def test_posting_acts_at_once(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser, news: str, body: dict[str, Any]
) -> None:
    """POST needs no redirect and no cookie, and only emails of that category are off. Twice is fine."""
    user_id = await add_user()
    assert (await wishes(users, user_id))["categories"] == {}
    for _ in range(2):
        answer = await browser.post(link(user_id, news), **body)
        assert (answer.status_code, page_of(answer).buttons) == (200, 0)
        assert "set-cookie" not in answer.headers
        after = await wishes(users, user_id)
        assert (after["email"], after["push"]) == (True, True)
        assert after["categories"] == {news: {"email": False, "push": None}}


async def test_a_link_without_category_ends_all_email(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser
) -> None:
    """So does a link whose category has been deleted: who wants to be left alone is left alone."""
    for category in (None, "deleted-since"):
        user_id = await add_user()
        assert "Stop all emails?" in page_of(await browser.get(link(user_id, category))).words
        answer = await browser.post(link(user_id, category), data=ONE_CLICK)
        after = await wishes(users, user_id)
        assert (answer.status_code, after["email"], after["push"]) == (200, False, True)
        assert after["categories"] == {}


async def test_what_is_required_stays(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser
) -> None:
    """What cannot be switched off has no button, and a click on it is answered as not done."""
    user_id = await add_user()
    asked = await browser.get(link(user_id, "security"))
    clicked = await browser.post(link(user_id, "security"), data=ONE_CLICK)
    assert (asked.status_code, clicked.status_code) == (200, 409)
    assert page_of(asked).buttons == page_of(clicked).buttons == 0
    assert "always sent" in page_of(clicked).words
    assert (await wishes(users, user_id))["categories"] == {}


async def test_nothing_else_is_lost(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser, news: str
) -> None:
    """Unsubscribing leaves every other wish as it was."""
    user_id = await add_user()
    held = {
        "push": False,
        "categories": {"marketing": {"email": False}, news: {"push": False}},
        "quiet_hours": [{"start": "22:00", "end": "07:00"}],
        "frequency_caps": [{"most": 1, "per": "day"}],
    }
    before = (await users.put(f"/users/{user_id}/preferences", json=held)).json()
    await browser.post(link(user_id, news), data=ONE_CLICK)
    before["categories"][news]["email"] = False
    assert await wishes(users, user_id) == before


async def test_a_changed_link_says_what_to_do(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser, news: str
) -> None:
    """A link that was cut off or made up is a page that says so, and does nothing."""
    user_id = await add_user()
    whole = link(user_id, news)
    for path in (
        whole[:-1],
        f"{whole}A",
        "/unsubscribe/x",
        "/unsubscribe/%00",
        link(user_id, news, "y" * 32),
    ):
        for answer in (await browser.get(path), await browser.post(path, data=ONE_CLICK)):
            assert answer.status_code == 404
            assert "This link does not work" in page_of(answer).words
    assert (await wishes(users, user_id))["categories"] == {}


async def test_links_of_both_secrets_work(browser: httpx.AsyncClient, add_user: AddUser, news: str) -> None:
    """After the service's secret was replaced, links of before and of now are good."""
    user_id = await add_user()
    for secret in (SERVICE_SECRET, NEW_SECRET):
        assert (await browser.get(link(user_id, news, secret))).status_code == 200


async def test_who_is_gone_gets_nothing(
    users: httpx.AsyncClient, browser: httpx.AsyncClient, add_user: AddUser, news: str
) -> None:
    """For a person who was erased, or never was, the page says that nothing is sent any more."""
    erased = await add_user()
    assert (await users.delete(f"/users/{erased}")).status_code == 204
    for user_id in (erased, str(uuid4())):
        path = link(user_id, news)
        for answer in (await browser.get(path), await browser.post(path, data=ONE_CLICK)):
            assert answer.status_code == 200
            assert "Nothing is sent to you any more" in page_of(answer).words


async def test_nobody_keeps_frames_or_finds_the_page(
    browser: httpx.AsyncClient, add_user: AddUser, news: str
) -> None:
    """The address is the credential: no cache, referrer or index has it, and the page loads nothing."""
    answer = await browser.get(link(await add_user(), news))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "<script" not in answer.text


async def test_a_huge_form_is_refused(browser: httpx.AsyncClient, add_user: AddUser, news: str) -> None:
    """No one needs more than 64 KiB to unsubscribe; the refusal is a page too."""
    answer = await browser.post(link(await add_user(), news), data={"x": "x" * 70_000})
    assert answer.status_code == 413
    assert "did not work" in page_of(answer).words

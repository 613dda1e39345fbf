"""Templates are found by walking through them, filtering, and searching."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Body = Callable[..., dict[str, Any]]

EMAIL = {"email": {"subject": "Your Invoice is here", "text": "t"}}
PUSH = {"push": {"title": "Paid"}}


@pytest.fixture(scope="module")
async def stocked(templates: httpx.AsyncClient) -> httpx.AsyncClient:
    """The service with four templates of its own."""
    for template_id, category, content, draft in (
        ("list-invoice", "billing", {"en": EMAIL | PUSH, "de": {"email": EMAIL["email"]}}, False),
        ("list-news", "marketing", {"en": EMAIL}, False),
        ("list-ping", "transactional", {"en": {"push": {"title": "Grüße 🎉"}}}, False),
        ("list-plan", "billing", {"en": PUSH}, True),
    ):
        answer = await templates.post(
            "/templates",
            params={"draft": str(draft).lower()},
            json={"id": template_id, "category": category, "content": content},
        )
        assert answer.status_code == 201, answer.text
    return templates


async def ids(templates: httpx.AsyncClient, **params: str) -> list[str]:
    answer = await templates.get("/templates", params=params)
    assert answer.status_code == 200, answer.text
    return [template["id"] for template in answer.json()["templates"]]


async def test_line_says_what_there_is(stocked: httpx.AsyncClient) -> None:
    """Each line has the newest version, whether there is a draft, the category, channels and locales."""
    await stocked.put("/templates/list-news/draft", json={"content": {"en": EMAIL}})
    lines = (await stocked.get("/templates")).json()["templates"]
    shown = {line["id"]: {**line, "updated_at": None} for line in lines}
    common = {"archived": False, "updated_at": None}
    assert shown["list-invoice"] == {
        "id": "list-invoice",
        "version": 1,
        "draft": False,
        "category": "billing",
        "channels": ["email", "push"],
        "locales": ["de", "en"],
        **common,
    }
    assert shown["list-news"]["draft"] is True
    assert shown["list-news"]["category"] == "marketing"
    assert (shown["list-plan"]["version"], shown["list-plan"]["draft"]) == (0, True)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"category": "billing"}, ["list-invoice", "list-plan"]),
        ({"channel": "push"}, ["list-invoice", "list-ping", "list-plan"]),
        ({"channel": "push", "category": "transactional"}, ["list-ping"]),
        ({"search": "INVOICE"}, ["list-invoice", "list-news"]),
        ({"search": "grüße 🎉"}, ["list-ping"]),
        ({"search": "list-pl"}, ["list-plan"]),
        ({"search": "%"}, []),
        ({"category": "nothing"}, []),
    ],
)
async def test_filters(stocked: httpx.AsyncClient, params: dict[str, str], found: list[str]) -> None:
    """Category, channel and search narrow the list down; a search reads ids, subjects and titles."""
    assert await ids(stocked, **params) == found


async def test_pages_are_walked_by_id(stocked: httpx.AsyncClient) -> None:
    """Following `next_cursor` meets every template once, in the order of the ids, and ends."""
    seen: list[str] = []
    params: dict[str, str] = {"limit": "3"}
    while True:
        page = (await stocked.get("/templates", params=params)).json()
        seen += [line["id"] for line in page["templates"]]
        if page["next_cursor"] is None:
            break
        assert len(page["templates"]) == 3
        params["cursor"] = page["next_cursor"]
    assert seen == sorted(set(seen))
    assert seen == await ids(stocked, limit="200")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"channel": "pigeon"},
        {"category": "Not A Slug"},
        {"cursor": "\0"},
        {"search": "\0"},
        {"search": "x" * 201},
        {"archived": "perhaps"},
    ],
)
async def test_malformed_filter(templates: httpx.AsyncClient, params: dict[str, str]) -> None:
    """A parameter that cannot mean anything is named."""
    answer = await templates.get("/templates", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert len(answer.json()["errors"]) == 1

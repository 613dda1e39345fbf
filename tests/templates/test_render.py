"""Rendering a template to look at, without sending it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

CONTENT = {
    "en": {
        "email": {"subject": "Hello {{ name }}", "html": "<p>{{ name }}</p>", "text": "{{ user.city }}"},
        "push": {"title": "Hello {{ name }}", "link": "{{ link }}"},
    },
    "pt": {"email": {"subject": "Olá {{ name }}", "text": "{{ user.city }}"}},
}
VARIABLES = {"name": "Ada <3", "link": "https://example.com", "user": {"city": "Lisboa"}}


@pytest.fixture
async def path(templates: httpx.AsyncClient, fresh_id: Callable[[], str]) -> str:
    """Where a template with an email in two languages and a push in one is rendered."""
    template_id = fresh_id()
    answer = await templates.post("/templates", json={"id": template_id, "content": CONTENT})
    assert answer.status_code == 201, answer.text
    return f"/templates/{template_id}/render"


async def errors_of(
    templates: httpx.AsyncClient, path: str, **body: object
) -> tuple[int, str, list[tuple[str, str]]]:
    answer = await templates.post(path, json=body)
    problem = answer.json()
    return answer.status_code, problem["code"], [(e["field"], e["message"]) for e in problem["errors"]]


async def test_every_channel_is_rendered(templates: httpx.AsyncClient, path: str) -> None:
    """The answer holds what each channel would send, with version and locale."""
    answer = await templates.post(path, json={"variables": VARIABLES})
    assert answer.status_code == 200
    rendered = answer.json()
    assert rendered.pop("bytes").keys() == {"email", "push"}
    assert rendered == {
        "template_id": path.split("/")[2],
        "version": 1,
        "locales": {"email": "en", "push": "en"},
        "warnings": [],
        "email": {"subject": "Hello Ada <3", "html": "<p>Ada &lt;3</p>", "text": "Lisboa"},
        "push": {
            "title": "Hello Ada <3",
            "body": "",
            "image": None,
            "link": "https://example.com",
            "badge": None,
            "collapse_key": None,
            "actions": [],
            "data": {},
            "manner": {"sound": None, "urgency": "normal", "silent": False, "shorten": False},
        },
    }


async def test_locale_falls_back(templates: httpx.AsyncClient, path: str) -> None:
    """pt-BR is rendered in pt; a channel that has no pt is rendered in the default locale."""
    rendered = (await templates.post(path, json={"variables": VARIABLES, "locale": "pt-BR"})).json()
    assert rendered["locales"] == {"email": "pt", "push": "en"}
    assert rendered["email"]["subject"] == "Olá Ada <3"
    assert rendered["push"]["title"] == "Hello Ada <3"


async def test_asked_version_is_rendered(templates: httpx.AsyncClient, path: str) -> None:
    """An older version is rendered as it was."""
    content = {"en": {"push": {"title": "new"}}}
    await templates.put(path.removesuffix("/render"), json={"content": content})
    newest = (await templates.post(path, json={})).json()
    older = (await templates.post(path, json={"version": 1, "variables": VARIABLES})).json()
    assert (newest["version"], newest["push"]["title"], newest["email"]) == (2, "new", None)
    assert (older["version"], older["push"]["title"]) == (1, "Hello Ada <3")


async def test_all_missing_variables_are_named(templates: httpx.AsyncClient, path: str) -> None:
    """Every variable that has no value is named, in each channel, with the fields that use it."""
    assert await errors_of(templates, path) == (
        422,
        "missing_variable",
        [
            ("$.variables.name", "`name` has no value; used by email.subject, email.html"),
            ("$.variables.user", "`user` has no value; used by email.text"),
            ("$.variables.link", "`link` has no value; used by push.link"),
            ("$.variables.name", "`name` has no value; used by push.title"),
        ],
    )


async def test_missing_part_of_a_variable_is_named(templates: httpx.AsyncClient, path: str) -> None:
    """A variable without the part that the template uses is a missing variable too."""
    errors = await errors_of(templates, path, variables={**VARIABLES, "user": {}})
    expected = [("$.variables.user.city", "email.text (en), line 1: `user.city` is undefined")]
    assert errors == (422, "missing_variable", expected)


async def test_value_that_does_not_fit(templates: httpx.AsyncClient, fresh_id: Callable[[], str]) -> None:
    """A value that the template cannot use is reported with the field, its line and why."""
    template_id = fresh_id()
    content = {"en": {"push": {"title": "each\n{{ total / people }}"}}}
    await templates.post("/templates", json={"id": template_id, "content": content})
    assert await errors_of(
        templates, f"/templates/{template_id}/render", variables={"total": 1, "people": 0}
    ) == (
        422,
        "render_failed",
        [("$.content.en.push.title", "push.title (en), line 2: unable to calculate 1 / 0")],
    )


async def test_without_values_the_sample_is_used(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str]
) -> None:
    """The sample is kept with each version; given values stand in its place, not beside it."""
    template_id = fresh_id()
    content = {"en": {"push": {"title": "{{ name }}", "body": "{{ city }}"}}}
    for name in ("Ada", "Bia"):
        body = {"content": content, "sample": {"name": name, "city": "Faro"}}
        answer = await templates.put(f"/templates/{template_id}", json=body)
        if answer.status_code == 404:
            await templates.post("/templates", json={"id": template_id, **body})
    path = f"/templates/{template_id}/render"
    assert (await templates.post(path, json={})).json()["push"]["title"] == "Bia"
    assert (await templates.post(path, json={"version": 1})).json()["push"]["title"] == "Ada"
    assert (await errors_of(templates, path, variables={"name": "Eva"}))[1] == "missing_variable"


async def test_draft_is_rendered_as_it_is_now(templates: httpx.AsyncClient, path: str) -> None:
    """Each rendering of a draft shows its latest words, and publishing shows the same under its number."""
    template = path.removesuffix("/render")
    for title in ("first", "second"):
        content = {"content": {"en": {"push": {"title": title}}}}
        await templates.put(f"{template}/draft", json=content)
        rendered = (await templates.post(path, json={"draft": True})).json()
        assert (rendered["version"], rendered["push"]["title"]) == (2, title)
    await templates.put(template, json={"content": {"en": {"push": {"title": "third"}}}})
    assert (await templates.post(path, json={})).json()["push"]["title"] == "third"
    both = await templates.post(path, json={"draft": True, "version": 1})
    assert (both.status_code, both.json()["code"]) == (422, "invalid_request")


async def test_values_that_do_not_fit_the_schema(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str]
) -> None:
    """Every value that the template's schema does not allow is named."""
    template_id = fresh_id()
    schema = {
        "properties": {"count": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["name"],
    }
    body = {"id": template_id, "schema": schema, "content": {"en": {"push": {"title": "{{ name }}"}}}}
    assert (await templates.post("/templates", json=body)).status_code == 201
    status, code, errors = await errors_of(
        templates, f"/templates/{template_id}/render", variables={"count": "two"}
    )
    assert (status, code) == (422, "invalid_variables")
    assert [field for field, _ in errors] == ["$.variables.name", "$.variables.count"]


async def test_warnings_and_sizes_come_with_the_rendering(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str]
) -> None:
    """What works and is probably not meant is told: here, marketing that nobody can unsubscribe from."""
    template_id = fresh_id()
    content = {"en": {"email": {"subject": "s", "html": "<p>Buy</p>", "text": "Buy"}}}
    for category in ("marketing", "transactional"):
        body = {"content": content, "category": category}
        if category == "marketing":
            await templates.post("/templates", json={"id": template_id, **body})
        else:
            await templates.put(f"/templates/{template_id}", json=body)
    path = f"/templates/{template_id}/render"
    marketing = (await templates.post(path, json={"version": 1, "variables": {"extra": 1}})).json()
    codes = {warning["code"] for warning in marketing["warnings"]}
    assert codes == {"missing_unsubscribe_link", "unused_variable"}
    assert marketing["bytes"]["email"] >= len("s<p>Buy</p>Buy")
    assert (await templates.post(path, json={})).json()["warnings"] == []


@pytest.mark.parametrize(
    "body", [{"variables": []}, {"version": 0}, {"locale": "not a locale"}, {"variable": {}}]
)
async def test_malformed_request(templates: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """A request that does not fit its shape is refused."""
    answer = await templates.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

"""Versions can be compared, copied and gone back to."""

from collections.abc import Callable
from typing import Any

import httpx

Body = Callable[..., dict[str, Any]]


async def diff(templates: httpx.AsyncClient, template_id: str, **params: str) -> dict[str, Any]:
    answer = await templates.get(f"/templates/{template_id}/diff", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fields(difference: dict[str, Any]) -> dict[str, str]:
    return {field["field"]: field["diff"] for field in difference["fields"]}


async def test_rolling_back_adds_a_version_with_the_old_words(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """History only grows: what was version 1 is version 3 now, and 2 is still there."""
    path = f"/templates/{template_id}"
    await templates.put(path, json=email("v2"))
    back = await templates.post(f"{path}/rollback", json={"version": 1})
    assert (back.status_code, back.json()["version"]) == (200, 3)
    assert back.json()["content"]["en"]["email"]["subject"] == "v1"
    assert [line["version"] for line in (await templates.get(f"{path}/versions")).json()["versions"]] == [
        3,
        2,
        1,
    ]


async def test_rolling_back_to_the_newest_changes_nothing(
    templates: httpx.AsyncClient, template_id: str
) -> None:
    """What is said already is not said again."""
    back = await templates.post(f"/templates/{template_id}/rollback", json={"version": 1})
    assert (back.status_code, back.json()["version"]) == (200, 1)


async def test_rolling_back_to_nothing(templates: httpx.AsyncClient, template_id: str) -> None:
    """A version that never was is a 404."""
    missing = await templates.post(f"/templates/{template_id}/rollback", json={"version": 9})
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_version")
    unknown = await templates.post("/templates/nobody/rollback", json={"version": 1})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_template")


async def test_difference_names_each_field(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Changed, added and removed fields, locales among them, each as a unified diff."""
    changed = email("v2", text="Text\nand more")
    changed["content"]["de"] = {"push": {"title": "Hallo"}}
    changed["content"]["en"]["push"] = {"title": "Hello"}
    changed["category"] = "billing"
    await templates.put(f"/templates/{template_id}", json=changed)
    difference = await diff(templates, template_id, **{"from": "1", "to": "2"})
    assert (difference["from_version"], difference["to_version"]) == (1, 2)
    assert fields(difference) == {
        "category": "@@ -1 +1 @@\n-general\n+billing",
        "content.de.push.title": "@@ -0,0 +1 @@\n+Hallo",
        "content.en.email.subject": "@@ -1 +1 @@\n-v1\n+v2",
        "content.en.email.text": "@@ -1 +1,2 @@\n Text\n+and more",
        "content.en.push.title": "@@ -0,0 +1 @@\n+Hello",
    }
    back = fields(await diff(templates, template_id, **{"from": "2", "to": "1"}))
    assert back["content.de.push.title"] == "@@ -1 +0,0 @@\n-Hallo"


async def test_difference_defaults_to_what_publishing_would_change(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """From the newest version to the draft; without a draft nothing differs."""
    nothing = await diff(templates, template_id)
    assert (nothing["from_version"], nothing["to_version"], nothing["fields"]) == (1, 1, [])
    await templates.put(f"/templates/{template_id}/draft", json=email("d1") | {"sample": {"name": "Ada"}})
    difference = await diff(templates, template_id)
    assert (difference["from_version"], difference["to_version"]) == (1, 0)
    assert fields(difference) == {
        "content.en.email.subject": "@@ -1 +1 @@\n-v1\n+d1",
        "sample": '@@ -1 +1,3 @@\n-{}\n+{\n+  "name": "Ada"\n+}',
    }


async def test_difference_shows_partials(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """What publishing would take over from changed partials is part of the difference."""
    name, template_id = fresh_id(), fresh_id()
    await templates.put(f"/partials/{name}", json={"source": "old"})
    body = email("s", html=f"{{% include '{name}' %}}")
    await templates.post("/templates", json={"id": template_id, **body})
    await templates.put(f"/partials/{name}", json={"source": "new"})
    await templates.put(f"/templates/{template_id}/draft", json=body)
    assert fields(await diff(templates, template_id)) == {f"partials.{name}": "@@ -1 +1 @@\n-old\n+new"}


async def test_difference_of_very_long_texts(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Texts of very many lines are told as replaced, not compared line by line."""
    lines = [f"line {number}" for number in range(5_000)]
    await templates.put(f"/templates/{template_id}", json=email("v1", text="\n".join(reversed(lines))))
    difference = fields(await diff(templates, template_id, **{"from": "1", "to": "2"}))
    told = difference["content.en.email.text"].split("\n")
    assert told[:3] == ["@@ -1,1 +1,5000 @@", "-Text", "+line 4999"]


async def test_difference_to_nothing(templates: httpx.AsyncClient, template_id: str) -> None:
    """Versions that are not there, and numbers that cannot be versions, are refused."""
    for params, expected in (
        ({"from": "9"}, (404, "unknown_version")),
        ({"to": "9"}, (404, "unknown_version")),
        ({"from": "0"}, (422, "invalid_request")),
        ({"to": "-1"}, (422, "invalid_request")),
    ):
        answer = await templates.get(f"/templates/{template_id}/diff", params=params)
        assert (answer.status_code, answer.json()["code"]) == expected


async def test_copy_is_a_template_of_its_own(
    templates: httpx.AsyncClient, template_id: str, fresh_id: Callable[[], str], email: Body
) -> None:
    """A duplicate begins at version 1 with the newest words, and changes by itself."""
    await templates.put(f"/templates/{template_id}", json=email("v2"))
    copy_id = fresh_id()
    copied = await templates.post(f"/templates/{template_id}/duplicate", json={"id": copy_id})
    assert copied.status_code == 201
    assert copied.headers["location"] == f"templates/{copy_id}"
    assert (copied.json()["id"], copied.json()["version"]) == (copy_id, 1)
    assert copied.json()["content"]["en"]["email"]["subject"] == "v2"
    again = await templates.post(f"/templates/{template_id}/duplicate", json={"id": copy_id})
    assert (again.status_code, again.json()["code"]) == (409, "template_exists")


async def test_copy_of_a_draft_is_a_draft(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """What nobody published is not published by copying it."""
    body, copy_id = {"id": fresh_id(), **email("d1")}, fresh_id()
    await templates.post("/templates", params={"draft": "true"}, json=body)
    copied = await templates.post(f"/templates/{body['id']}/duplicate", json={"id": copy_id})
    assert (copied.status_code, copied.json()["state"]) == (201, "draft")

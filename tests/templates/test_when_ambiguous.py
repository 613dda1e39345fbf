"""What a template says about messages whose outcome is unknown."""

from collections.abc import Callable
from typing import Any

import httpx

Body = Callable[..., dict[str, Any]]


async def test_without_a_word_a_message_is_tried_again(
    templates: httpx.AsyncClient, template_id: str
) -> None:
    """A template that says nothing is retried, and whoever reads it is told so."""
    assert (await templates.get(f"/templates/{template_id}")).json()["when_ambiguous"] == "retry"
    assert (await templates.get(f"/templates/{template_id}/compiled")).json()["when_ambiguous"] == "retry"


async def test_it_belongs_to_the_version(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """A change of it alone is a new version; the old one keeps its own, and goes back by rollback."""
    path = f"/templates/{template_id}"
    changed = await templates.put(path, json={**email("v1"), "when_ambiguous": "give_up"})
    same = await templates.put(path, json={**email("v1"), "when_ambiguous": "give_up"})
    assert (changed.json()["version"], same.json()["version"]) == (2, 2)
    for version, expected in ((1, "retry"), (2, "give_up")):
        compiled = await templates.get(f"{path}/compiled", params={"version": version})
        assert compiled.json()["when_ambiguous"] == expected
    back = (await templates.post(f"{path}/rollback", json={"version": 1})).json()
    assert (back["version"], back["when_ambiguous"]) == (3, "retry")


async def test_it_is_drafted_copied_and_compared(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """A draft carries it, over the one before too; a difference shows it, and a copy has it."""
    path = f"/templates/{template_id}"
    for policy in ("wait", "fail_over"):
        draft = await templates.put(f"{path}/draft", json={**email("v1"), "when_ambiguous": policy})
        assert draft.json()["when_ambiguous"] == policy
    difference = (await templates.get(f"{path}/diff")).json()
    assert [field["field"] for field in difference["fields"]] == ["when_ambiguous"]
    await templates.post(f"{path}/publish")
    copy = await templates.post(f"{path}/duplicate", json={"id": f"{template_id}-copy"})
    assert copy.json()["when_ambiguous"] == "fail_over"


async def test_another_word_is_refused(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """Only the four policies there are can be named."""
    answer = await templates.put(f"/templates/{template_id}", json={**email("v1"), "when_ambiguous": "never"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "$.when_ambiguous")

"""An archived template is out of use and not lost."""

from collections.abc import Callable
from typing import Any

import httpx

Body = Callable[..., dict[str, Any]]


async def ids(templates: httpx.AsyncClient, **params: str) -> set[str]:
    answer = await templates.get("/templates", params={"limit": "200", **params})
    assert answer.status_code == 200, answer.text
    return {template["id"] for template in answer.json()["templates"]}


async def test_archived_template_is_out_of_the_lists(templates: httpx.AsyncClient, template_id: str) -> None:
    """It is listed only among the archived ones, and archiving it again changes nothing."""
    for _ in range(2):
        assert (await templates.delete(f"/templates/{template_id}")).status_code == 204
    assert template_id not in await ids(templates)
    assert template_id in await ids(templates, archived="true")


async def test_archived_template_can_still_be_read(templates: httpx.AsyncClient, template_id: str) -> None:
    """What was accepted with a version is still sent; the newest look says that it is archived."""
    path = f"/templates/{template_id}"
    before = (await templates.get(f"{path}/compiled?version=1")).json()
    await templates.delete(path)
    assert (await templates.get(path)).json()["state"] == "archived"
    assert (await templates.get(f"{path}/compiled?version=1")).json() == before
    newest = (await templates.get(f"{path}/compiled")).json()
    assert newest == {**before, "archived": True}


async def test_archived_template_takes_no_changes(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Every way to change it is refused with the way to bring it back."""
    path = f"/templates/{template_id}"
    await templates.delete(path)
    for answer in (
        await templates.put(path, json=email("v2")),
        await templates.put(f"{path}/draft", json=email("v2")),
        await templates.post(f"{path}/rollback", json={"version": 1}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "archived_template")
        assert f"{path}/restore" in answer.json()["detail"]
    taken = await templates.post("/templates", json={"id": template_id, **email()})
    assert (taken.status_code, taken.json()["code"]) == (409, "template_exists")


async def test_restored_template_is_as_it_was(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Restoring brings back versions and draft, and takes changes again; doing it twice is no error."""
    path = f"/templates/{template_id}"
    await templates.put(f"{path}/draft", json=email("d1"))
    before = (await templates.get(path)).json()
    await templates.delete(path)
    for _ in range(2):
        restored = await templates.post(f"{path}/restore")
        assert (restored.status_code, restored.json()) == (200, before)
    assert template_id in await ids(templates)
    assert (await templates.post(f"{path}/publish")).json()["version"] == 2


async def test_archived_draft_comes_back_as_one(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """A template of which nothing is published is restored as the draft it is."""
    body = {"id": fresh_id(), **email("d1")}
    draft = (await templates.post("/templates", params={"draft": "true"}, json=body)).json()
    await templates.delete(f"/templates/{body['id']}")
    assert (await templates.post(f"/templates/{body['id']}/restore")).json() == draft


async def test_unknown_template_cannot_be_archived(templates: httpx.AsyncClient) -> None:
    """Archiving and restoring what is not there is a 404."""
    for answer in (
        await templates.delete("/templates/nobody"),
        await templates.post("/templates/nobody/restore"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_template")

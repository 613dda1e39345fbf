"""The template service's audit log: each publication, draft and partial leaves an entry."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from support.audit import Write, add_old_entries, entries, write_operations
from support.polling import eventually
from support.servers import client_of
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

CHANGE_NOTHING = {("post", "/templates/{template_id}/render")}
SUBJECT = "Hello from the subject"


def content(subject: str) -> dict[str, Any]:
    return {"content": {"en": {"email": {"subject": subject, "text": "Text"}}}}


async def a_template(client: httpx.AsyncClient, *, draft: bool = False) -> dict[str, str]:
    body = {"id": f"t-{uuid4()}", **content("v1")}
    answer = await client.post("/templates", json=body, params={"draft": draft})
    assert answer.status_code == 201, answer.text
    return {"template_id": body["id"]}


async def two_versions(client: httpx.AsyncClient) -> dict[str, str]:
    known = await a_template(client)
    answer = await client.put(f"/templates/{known['template_id']}", json=content("v2"))
    assert answer.status_code == 200, answer.text
    return known


async def a_draft(client: httpx.AsyncClient) -> dict[str, str]:
    known = await a_template(client)
    answer = await client.put(f"/templates/{known['template_id']}/draft", json=content("draft"))
    assert answer.status_code == 201, answer.text
    return known


async def archived(client: httpx.AsyncClient) -> dict[str, str]:
    known = await a_template(client)
    assert (await client.delete(f"/templates/{known['template_id']}")).status_code == 204
    return known


async def a_partial(client: httpx.AsyncClient) -> dict[str, str]:
    name = f"p-{uuid4()}"
    assert (await client.put(f"/partials/{name}", json={"source": "piece"})).status_code == 201
    return {"name": name}


WRITES = [
    Write(route="/templates", action="template.created", body={"id": f"t-{uuid4()}", **content(SUBJECT)}),
    Write(
        method="put",
        route="/templates/{template_id}",
        action="template.published",
        body=content(SUBJECT),
        prepare=a_template,
    ),
    Write(method="delete", route="/templates/{template_id}", action="template.archived", prepare=a_template),
    Write(route="/templates/{template_id}/restore", action="template.restored", prepare=archived),
    Write(
        route="/templates/{template_id}/duplicate",
        action="template.created",
        body={"id": f"copy-{uuid4()}"},
        prepare=a_template,
    ),
    Write(
        method="put",
        route="/templates/{template_id}/draft",
        action="template.draft_saved",
        body=content(SUBJECT),
        prepare=a_template,
    ),
    Write(
        method="delete",
        route="/templates/{template_id}/draft",
        action="template.draft_discarded",
        prepare=a_draft,
    ),
    Write(route="/templates/{template_id}/publish", action="template.published", prepare=a_draft),
    Write(
        route="/templates/{template_id}/rollback",
        action="template.published",
        body={"version": 1},
        prepare=two_versions,
    ),
    Write(method="put", route="/partials/{name}", action="partial.created", body={"source": SUBJECT}),
    Write(method="delete", route="/partials/{name}", action="partial.deleted", prepare=a_partial),
]


async def test_every_write_is_looked_at_here(templates: httpx.AsyncClient) -> None:
    """A new route that changes something needs its entry, and its line among the writes."""
    assert await write_operations(templates) == {write.operation for write in WRITES} | CHANGE_NOTHING


@pytest.mark.parametrize("write", WRITES, ids=lambda write: "-".join(write.operation))
async def test_a_write_leaves_one_entry(templates: httpx.AsyncClient, write: Write) -> None:
    """Each successful write is one entry, which says who did what, without the words themselves."""
    found = await write.send(templates)
    assert [(entry["actor"], entry["action"]) for entry in found] == [("tests", write.action)]
    assert SUBJECT not in str(found)


async def test_the_life_of_a_template(templates: httpx.AsyncClient) -> None:
    """An entry says which version was published, and whether from a draft or an older version."""
    template_id = (await a_draft(templates))["template_id"]
    path = f"/templates/{template_id}"
    await templates.post(f"{path}/publish")
    await templates.post(f"{path}/rollback", json={"version": 1})
    await templates.post(f"{path}/duplicate", json={"id": f"copy-{template_id}"})
    said = [(entry["action"], entry["detail"]) for entry in await entries(templates, subject=template_id)]
    (copy,) = await entries(templates, subject=f"copy-{template_id}")
    assert copy["detail"] == {"version": 1, "copy_of": template_id}
    assert said == [
        ("template.published", {"version": 3, "rolled_back_to": 1}),
        ("template.published", {"version": 2, "from_draft": True}),
        ("template.draft_saved", {}),
        ("template.created", {"version": 1}),
    ]


async def test_a_template_that_was_never_published(templates: httpx.AsyncClient) -> None:
    """With its draft such a template is deleted, and the log still knows that it was there."""
    template_id = (await a_template(templates, draft=True))["template_id"]
    await templates.delete(f"/templates/{template_id}/draft")
    deleted, created = await entries(templates, subject=template_id)
    assert (created["action"], created["detail"]) == ("template.created", {"draft": True})
    assert deleted["action"] == "template.deleted"


async def test_what_changes_nothing_leaves_no_entry(
    templates: httpx.AsyncClient, email: Callable[..., dict[str, Any]]
) -> None:
    """The same words again, archiving twice, and what is refused are not recorded."""
    body = {"id": f"t-{uuid4()}", **email("same")}
    await templates.post("/templates", json=body)
    partial = f"/partials/{(await a_partial(templates))['name']}"
    newest = (await entries(templates, limit="1"))[0]["id"]
    same = await templates.put(f"/templates/{body['id']}", json=email("same"))
    again = await templates.put(partial, json={"source": "piece"})
    taken = await templates.post("/templates", json=body)
    stale = await templates.put(f"/templates/{body['id']}", json=email("x"), headers={"If-Match": '"9"'})
    statuses = [answer.status_code for answer in (same, again, taken, stale)]
    assert statuses == [200, 200, 409, 412]
    assert (await entries(templates, limit="1"))[0]["id"] == newest


async def test_old_entries_go_where_that_is_set(
    templates: httpx.AsyncClient,
    templates_settings: TemplatesSettings,
    module_database: str,
    service_token: Callable[..., str],
) -> None:
    """What is older than `audit_retention_days` goes, and the log says how much that was."""
    await add_old_entries(module_database, "templates", days=40, count=3)
    assert len(await entries(templates, actor="old")) == 3
    keeping = msgspec.structs.replace(templates_settings, audit_retention_days=30)

    async def told() -> bool:
        return bool(await entries(templates, action="audit_entries.dropped"))

    async with open_app(keeping) as app, client_of(app, partial(service_token, "templates")):
        await eventually(told)
    [entry] = await entries(templates, action="audit_entries.dropped")
    assert (entry["actor"], entry["detail"]["entries"]) == ("tidings", 3)
    assert await entries(templates, actor="old") == []

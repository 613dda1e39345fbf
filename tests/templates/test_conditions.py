"""Entity tags: what is known is not sent again, and nobody overwrites what they have not seen."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Body = Callable[..., dict[str, Any]]


async def tag_of(templates: httpx.AsyncClient, path: str) -> str:
    answer = await templates.get(path)
    assert answer.status_code == 200, answer.text
    tag: str = answer.headers["etag"]
    assert tag.startswith('"')
    return tag


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("code")) == (412, "changed_meanwhile")


async def test_known_template_is_not_sent_again(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """A read that names the tag gets 304 without a body, until the template changes."""
    path = f"/templates/{template_id}"
    tag = await tag_of(templates, path)
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = await templates.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    await templates.put(path, json=email("v2"))
    answer = await templates.get(path, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


@pytest.mark.parametrize("path", ["?version=1", "/compiled", "/compiled?version=1", "/draft", "?draft=true"])
async def test_every_read_has_its_tag(
    templates: httpx.AsyncClient, template_id: str, email: Body, path: str
) -> None:
    """Versions, drafts and compiled forms are conditional alike."""
    await templates.put(f"/templates/{template_id}/draft", json=email("d1"))
    tag = await tag_of(templates, f"/templates/{template_id}{path}")
    answer = await templates.get(f"/templates/{template_id}{path}", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_writes_answer_the_tag_for_the_next_write(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """An editor goes from write to write without reading in between."""
    template_id = fresh_id()
    path = f"/templates/{template_id}"
    added = await templates.post("/templates", json={"id": template_id, **email("v1")})
    replaced = await templates.put(path, json=email("v2"), headers={"If-Match": added.headers["etag"]})
    assert replaced.status_code == 200
    back = await templates.post(
        f"{path}/rollback", json={"version": 1}, headers={"If-Match": replaced.headers["etag"]}
    )
    assert back.json()["version"] == 3
    assert await tag_of(templates, path) == back.headers["etag"]


async def test_lost_update_is_refused(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """Whoever writes upon what is there no more is told what is there, and nothing is stored."""
    path = f"/templates/{template_id}"
    old = {"If-Match": await tag_of(templates, path)}
    await templates.put(path, json=email("v2"))
    newest = await tag_of(templates, path)
    answers = [
        await templates.put(path, json=email("v3"), headers=old),
        await templates.put(f"{path}/draft", json=email("d1"), headers=old),
        await templates.post(f"{path}/rollback", json={"version": 1}, headers=old),
        await templates.delete(path, headers=old),
    ]
    for answer in answers:
        assert refused(answer)
        assert newest in answer.json()["detail"]
    assert await tag_of(templates, path) == newest
    assert (await templates.get(f"{path}/draft")).status_code == 404


@pytest.mark.parametrize("condition", ['W/"1-0"', "not-quoted", '""'])
async def test_tag_that_is_none_matches_nothing(
    templates: httpx.AsyncClient, template_id: str, email: Body, condition: str
) -> None:
    """A weak or malformed tag never lets a write through."""
    answer = await templates.put(
        f"/templates/{template_id}", json=email("v2"), headers={"If-Match": condition}
    )
    assert refused(answer)


async def test_any_version_will_do(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """`If-Match: *` asks only that the template is there."""
    answer = await templates.put(f"/templates/{template_id}", json=email("v2"), headers={"If-Match": "*"})
    assert answer.json()["version"] == 2


async def test_reviewed_draft_is_what_is_published(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Publishing under the draft's tag fails when the draft, or the version under it, has changed."""
    path = f"/templates/{template_id}"
    reviewed = await templates.put(f"{path}/draft", json=email("d1"))
    await templates.put(f"{path}/draft", json=email("d2"))
    stale = {"If-Match": reviewed.headers["etag"]}
    assert refused(await templates.post(f"{path}/publish", headers=stale))
    assert refused(await templates.delete(f"{path}/draft", headers=stale))
    fresh = await tag_of(templates, f"{path}/draft")
    await templates.put(path, json=email("v2"))
    assert refused(await templates.post(f"{path}/publish", headers={"If-Match": fresh}))
    answer = await templates.post(
        f"{path}/publish", headers={"If-Match": await tag_of(templates, f"{path}/draft")}
    )
    assert answer.json()["version"] == 3


async def test_of_two_writers_one_is_told(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Of writers that read the same and write at once, exactly one succeeds."""
    path = f"/templates/{template_id}"
    seen = {"If-Match": await tag_of(templates, path)}
    answers = await asyncio.gather(
        *(templates.put(path, json=email(f"by {n}"), headers=seen) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert (await templates.get(path)).json()["version"] == 2

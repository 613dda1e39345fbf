"""Drafts are written over and over, seen by nobody, and become the next version."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Body = Callable[..., dict[str, Any]]


async def subject_of(templates: httpx.AsyncClient, path: str) -> str:
    answer = await templates.get(path)
    assert answer.status_code == 200, answer.text
    subject: str = answer.json()["content"]["en"]["email"]["subject"]
    return subject


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def drafted_id(templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body) -> str:
    """A template that is only a draft, with the subject `d1`."""
    answer = await templates.post(
        "/templates", params={"draft": "true"}, json={"id": fresh_id(), **email("d1")}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_template_may_begin_as_a_draft(templates: httpx.AsyncClient, drafted_id: str) -> None:
    """Nothing of it is published, so nobody can send it; its draft says which version it would become."""
    draft = (await templates.get(f"/templates/{drafted_id}/draft")).json()
    assert (draft["version"], draft["state"]) == (1, "draft")
    assert (await templates.get(f"/templates/{drafted_id}?draft=true")).json() == draft
    for path in ("", "?version=1", "/compiled", "/compiled?version=1"):
        answer = await templates.get(f"/templates/{drafted_id}{path}")
        assert code_of(answer) == (404, "unknown_version")
    assert (await templates.get(f"/templates/{drafted_id}/versions")).json()["versions"] == []


async def test_first_publication_is_version_one(templates: httpx.AsyncClient, drafted_id: str) -> None:
    """The draft becomes version 1 and is a draft no more."""
    published = await templates.post(f"/templates/{drafted_id}/publish")
    assert published.status_code == 200
    assert (published.json()["version"], published.json()["state"]) == (1, "published")
    assert await subject_of(templates, f"/templates/{drafted_id}") == "d1"
    assert code_of(await templates.get(f"/templates/{drafted_id}/draft")) == (404, "unknown_draft")


async def test_draft_changes_nothing_until_it_is_published(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Readers of the newest version see the draft's words only once they are a version."""
    path = f"/templates/{template_id}"
    first = await templates.put(f"{path}/draft", json=email("d1"))
    second = await templates.put(f"{path}/draft", json=email("d2"))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["version"] == 2
    assert await subject_of(templates, path) == "v1"
    assert await subject_of(templates, f"{path}/draft") == "d2"
    assert (await templates.post(f"{path}/publish")).json()["version"] == 2
    assert await subject_of(templates, path) == "d2"


async def test_publishing_what_is_published_adds_no_version(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """A draft that says what the newest version says goes, and no version comes."""
    path = f"/templates/{template_id}"
    await templates.put(f"{path}/draft", json=email("v1"))
    assert (await templates.post(f"{path}/publish")).json()["version"] == 1
    assert code_of(await templates.post(f"{path}/publish")) == (404, "unknown_draft")


async def test_draft_is_checked_as_a_version_is(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """What could not be published is not stored as a draft either."""
    answer = await templates.put(f"/templates/{template_id}/draft", json=email("{{ name"))
    assert code_of(answer) == (422, "template_does_not_compile")
    assert (await templates.get(f"/templates/{template_id}/draft")).status_code == 404


async def test_discarded_draft_is_gone(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """Discarding leaves the published versions as they are."""
    path = f"/templates/{template_id}"
    await templates.put(f"{path}/draft", json=email("d1"))
    assert (await templates.delete(f"{path}/draft")).status_code == 204
    assert code_of(await templates.delete(f"{path}/draft")) == (404, "unknown_draft")
    assert await subject_of(templates, path) == "v1"


async def test_discarding_all_there_is_frees_the_id(
    templates: httpx.AsyncClient, drafted_id: str, email: Body
) -> None:
    """A template of which nothing was ever published goes with its draft."""
    assert (await templates.delete(f"/templates/{drafted_id}/draft")).status_code == 204
    assert code_of(await templates.get(f"/templates/{drafted_id}")) == (404, "unknown_template")
    again = await templates.post("/templates", json={"id": drafted_id, **email("new")})
    assert (again.status_code, again.json()["version"]) == (201, 1)


async def test_put_publishes_past_a_draft(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """A version published meanwhile leaves the draft there, as the version after it."""
    path = f"/templates/{template_id}"
    await templates.put(f"{path}/draft", json=email("d1"))
    await templates.put(path, json=email("v2"))
    assert (await templates.get(f"{path}/draft")).json()["version"] == 3


async def test_two_publishers_of_one_draft(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Of several that publish the same draft at once, one does; the others hear that it is gone."""
    path = f"/templates/{template_id}"
    await templates.put(f"{path}/draft", json=email("d1"))
    answers = await asyncio.gather(*(templates.post(f"{path}/publish") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 5
    assert (await templates.get(path)).json()["version"] == 2


async def test_draft_written_while_it_is_published(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Whoever comes first, the words written last are published or still a draft, and never lost."""
    path = f"/templates/{template_id}"
    for number in range(10):
        await templates.put(f"{path}/draft", json=email(f"{number}, first"))
        last = email(f"{number}, last")
        published, _ = await asyncio.gather(
            templates.post(f"{path}/publish"), templates.put(f"{path}/draft", json=last)
        )
        assert published.status_code in {200, 412}
        newest = await subject_of(templates, path)
        assert (
            newest == f"{number}, last" or await subject_of(templates, f"{path}/draft") == f"{number}, last"
        )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_draft_of_an_unknown_template(templates: httpx.AsyncClient, email: Body, method: str) -> None:
    """A draft belongs to a template that is there."""
    body = email() if method == "PUT" else None
    answer = await templates.request(method, "/templates/nobody/draft", json=body)
    assert code_of(answer) == (404, "unknown_template")

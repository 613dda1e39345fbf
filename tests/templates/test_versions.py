"""Templates are added, read, and changed by adding versions."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

Body = Callable[..., dict[str, Any]]


async def subject_of(templates: httpx.AsyncClient, path: str) -> str:
    answer = await templates.get(path)
    assert answer.status_code == 200, answer.text
    subject: str = answer.json()["content"]["en"]["email"]["subject"]
    return subject


async def test_added_template_is_version_one(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """The answer is the stored template with its version, variables and time."""
    template_id = fresh_id()
    answer = await templates.post(
        "/templates", json={"id": template_id, **email("Hi {{ name }}", text="{{ link }}")}
    )
    assert answer.status_code == 201
    assert answer.headers["location"] == f"templates/{template_id}"
    added = answer.json()
    assert (added["id"], added["version"], added["default_locale"]) == (template_id, 1, "en")
    assert added["variables"] == {"email": ["link", "name"]}
    assert abs(datetime.fromisoformat(added["created_at"]) - datetime.now(UTC)).total_seconds() < 60
    assert (await templates.get(f"/templates/{template_id}")).json() == added


async def test_taken_id_is_refused(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """A second template of the same id is a conflict that names the way to change the first."""
    answer = await templates.post("/templates", json={"id": template_id, **email("other")})
    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")
    assert f"PUT /templates/{template_id}" in answer.json()["detail"]
    assert await subject_of(templates, f"/templates/{template_id}") == "v1"


async def test_put_adds_a_version(templates: httpx.AsyncClient, template_id: str, email: Body) -> None:
    """The newest version is read without a number, every version with its own."""
    replaced = await templates.put(f"/templates/{template_id}", json=email("v2"))
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    assert await subject_of(templates, f"/templates/{template_id}") == "v2"
    assert await subject_of(templates, f"/templates/{template_id}?version=1") == "v1"
    assert await subject_of(templates, f"/templates/{template_id}?version=2") == "v2"


async def test_equal_content_adds_no_version(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Storing what the newest version says already answers that version."""
    first = await templates.put(f"/templates/{template_id}", json=email("v2"))
    again = await templates.put(f"/templates/{template_id}", json=email("v2", text="Text"))
    assert again.json() == first.json()
    back = await templates.put(f"/templates/{template_id}", json=email("v1"))
    assert back.json()["version"] == 3


async def test_concurrent_puts_are_numbered_one_by_one(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Writers that meet get distinct, consecutive versions, each with its own words."""
    answers = await asyncio.gather(
        *(templates.put(f"/templates/{template_id}", json=email(f"by {n}")) for n in range(6))
    )
    versions = {answer.json()["version"]: f"by {n}" for n, answer in enumerate(answers)}
    assert sorted(versions) == list(range(2, 8))
    for version, subject in versions.items():
        assert await subject_of(templates, f"/templates/{template_id}?version={version}") == subject


async def test_concurrent_posts_make_one_template(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """Of several that add the same id at once, one succeeds and the others are told."""
    body = {"id": fresh_id(), **email()}
    answers = await asyncio.gather(*(templates.post("/templates", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_history_is_paged_newest_first(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """Following `next_cursor` walks through every version once, and then it is absent."""
    for number in range(2, 6):
        await templates.put(f"/templates/{template_id}", json=email(f"v{number}"))
    seen: list[list[int]] = []
    params: dict[str, str] = {"limit": "2"}
    while True:
        page = (await templates.get(f"/templates/{template_id}/versions", params=params)).json()
        seen.append([version["version"] for version in page["versions"]])
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == [[5, 4], [3, 2], [1]]


async def test_stored_version_cannot_be_changed(
    service_database: Callable[[str], Awaitable[str]], template_id: str
) -> None:
    """Not even the service's own role may change a version: everyone caches them for good."""
    connection = await asyncpg.connect(await service_database("templates"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "update templates.versions set default_locale = 'pt' where template_id = $1", template_id
            )
    finally:
        await connection.close()

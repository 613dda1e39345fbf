"""Layouts and pieces that templates share."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Body = Callable[..., dict[str, Any]]


@pytest.fixture
async def footer(templates: httpx.AsyncClient, fresh_id: Callable[[], str]) -> str:
    """A partial that says `old`."""
    name = fresh_id()
    answer = await templates.put(f"/partials/{name}", json={"source": "<p>old</p>"})
    assert answer.status_code == 201, answer.text
    return name


@pytest.fixture
async def user(templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body, footer: str) -> str:
    """A template with one version that uses it."""
    body = email("s", html=f"{{{{ name }}}} {{% include '{footer}' %}}")
    answer = await templates.post("/templates", json={"id": fresh_id(), **body})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def html_of(templates: httpx.AsyncClient, template_id: str, **request: object) -> str:
    answer = await templates.post(
        f"/templates/{template_id}/render", json={"variables": {"name": "Ada"}, **request}
    )
    assert answer.status_code == 200, answer.text
    html: str = answer.json()["email"]["html"]
    return html


async def test_partial_is_written_and_read(templates: httpx.AsyncClient, footer: str) -> None:
    """What was written last is what is read, and the same again is no change."""
    first = (await templates.get(f"/partials/{footer}")).json()
    assert (first["name"], first["source"]) == (footer, "<p>old</p>")
    same = await templates.put(f"/partials/{footer}", json={"source": "<p>old</p>"})
    assert (same.status_code, same.json()) == (200, first)
    changed = await templates.put(f"/partials/{footer}", json={"source": "<p>new</p>"})
    assert (await templates.get(f"/partials/{footer}")).json() == changed.json() != first


async def test_change_reaches_only_what_is_published_afterwards(
    templates: httpx.AsyncClient, footer: str, user: str
) -> None:
    """A published version keeps its partials; publishing the same words again takes the new ones."""
    await templates.put(f"/partials/{footer}", json={"source": "<p>new</p>"})
    assert "old" in await html_of(templates, user)
    body = (await templates.get(f"/templates/{user}")).json()
    again = {"content": body["content"], "default_locale": body["default_locale"]}
    assert (await templates.put(f"/templates/{user}", json=again)).json()["version"] == 2
    assert "new" in await html_of(templates, user)
    assert "old" in await html_of(templates, user, version=1)
    assert (await templates.put(f"/templates/{user}", json=again)).json()["version"] == 2


async def test_rolling_back_takes_the_partials_of_now(
    templates: httpx.AsyncClient, footer: str, user: str, email: Body
) -> None:
    """The words are the old ones, the partials those of the day."""
    await templates.put(f"/templates/{user}", json=email("other"))
    await templates.put(f"/partials/{footer}", json={"source": "<p>new</p>"})
    await templates.post(f"/templates/{user}/rollback", json={"version": 1})
    assert "new" in await html_of(templates, user)


async def test_draft_is_rendered_with_the_partials_of_now(
    templates: httpx.AsyncClient, footer: str, user: str
) -> None:
    """A draft shows what publishing it would give."""
    body = (await templates.get(f"/templates/{user}")).json()
    await templates.put(f"/templates/{user}/draft", json={"content": body["content"]})
    await templates.put(f"/partials/{footer}", json={"source": "<p>new</p>"})
    assert "new" in await html_of(templates, user, draft=True)


async def test_partial_in_use_is_not_deleted(
    templates: httpx.AsyncClient, footer: str, user: str, email: Body
) -> None:
    """Newest versions and drafts hold it; older versions and archived templates do not."""
    path = f"/partials/{footer}"
    refused = await templates.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "partial_in_use")
    assert user in refused.json()["detail"]
    content = (await templates.get(f"/templates/{user}")).json()["content"]
    await templates.put(f"/templates/{user}", json=email("without"))
    await templates.put(f"/templates/{user}/draft", json={"content": content})
    assert (await templates.delete(path)).status_code == 409
    await templates.delete(f"/templates/{user}/draft")
    assert (await templates.delete(path)).status_code == 204
    assert (await templates.get(path)).status_code == 404
    assert "old" in await html_of(templates, user, version=1)


async def test_template_that_names_no_partial_is_refused(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """A template that includes what is not there does not compile, and says what it lacks."""
    body = {"id": fresh_id(), **email("s", html="{% include 'no-such-partial' %}")}
    answer = await templates.post("/templates", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "template_does_not_compile")
    assert "no-such-partial" in answer.json()["detail"]


async def test_partials_that_include_each_other_are_refused(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """A circle is an error at publication, and the service lives on."""
    one, other = fresh_id(), fresh_id()
    await templates.put(f"/partials/{one}", json={"source": f"{{% include '{other}' %}}"})
    await templates.put(f"/partials/{other}", json={"source": f"{{% include '{one}' %}}"})
    body = {"id": fresh_id(), **email("s", html=f"{{% include '{one}' %}}")}
    answer = await templates.post("/templates", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "template_does_not_compile")


async def test_partials_are_listed_by_name(templates: httpx.AsyncClient) -> None:
    """Pages follow one another in the order of the names, and end."""
    for number in range(5):
        await templates.put(f"/partials/zz-{number}", json={"source": str(number)})
    seen: list[str] = []
    params = {"limit": "2", "cursor": "zz"}
    while True:
        page = (await templates.get("/partials", params=params)).json()
        seen += [partial["source"] for partial in page["partials"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == ["0", "1", "2", "3", "4"]


async def test_lost_update_of_a_partial_is_refused(templates: httpx.AsyncClient, footer: str) -> None:
    """A partial has its tag, which reads and writes may name."""
    path = f"/partials/{footer}"
    tag = (await templates.get(path)).headers["etag"]
    assert (await templates.get(path, headers={"If-None-Match": tag})).status_code == 304
    await templates.put(path, json={"source": "<p>new</p>"}, headers={"If-Match": tag})
    for answer in (
        await templates.put(path, json={"source": "mine"}, headers={"If-Match": tag}),
        await templates.delete(path, headers={"If-Match": tag}),
        await templates.put("/partials/nobody-has-it", json={"source": "x"}, headers={"If-Match": "*"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    assert (await templates.get(path)).json()["source"] == "<p>new</p>"


@pytest.mark.parametrize("source", ["{{ name", "{% if %}", "\0"])
async def test_broken_partial_is_refused(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], source: str
) -> None:
    """A partial that no template could use is not stored."""
    answer = await templates.put(f"/partials/{fresh_id()}", json={"source": source})
    assert (answer.status_code, answer.json()["code"]) == (422, "template_does_not_compile")
    assert [error["field"] for error in answer.json()["errors"]] == ["$.source"]


@pytest.mark.parametrize("name", ["Not%20A%20Slug", "%00", "a" * 101, "nobody-has-it"])
async def test_partial_that_is_not_there(templates: httpx.AsyncClient, name: str) -> None:
    """Reading or deleting what is not there is a 404, whatever it is called."""
    for method in ("GET", "DELETE"):
        answer = await templates.request(method, f"/partials/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_partial")


@pytest.mark.parametrize("name", ["Not%20A%20Slug", "%00", "a" * 101])
async def test_name_that_cannot_be_one(templates: httpx.AsyncClient, name: str) -> None:
    """Writing under an impossible name is refused, and says what a name is."""
    answer = await templates.put(f"/partials/{name}", json={"source": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["$.name"]

"""What the template service refuses, and how it says so."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Body = Callable[..., dict[str, Any]]


def refusal(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, code and the fields at fault of a problem, which every refusal must be."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"]
    assert problem["correlation_id"]
    return answer.status_code, problem["code"], [error["field"] for error in problem.get("errors", [])]


@pytest.mark.parametrize("template_id", ["nobody", "No Such Form", "x" * 300, "%00", "%ff"])
@pytest.mark.parametrize("path", ["", "?version=1", "/versions"])
async def test_unknown_template(templates: httpx.AsyncClient, template_id: str, path: str) -> None:
    """Reading what is not there is a 404 with the code `unknown_template`, whatever the id looks like."""
    answer = await templates.get(f"/templates/{template_id}{path}")
    assert refusal(answer) == (404, "unknown_template", [])


async def test_unknown_template_is_not_made_by_put(templates: httpx.AsyncClient, email: Body) -> None:
    """PUT changes what is there; it makes nothing."""
    answer = await templates.put("/templates/nobody", json=email())
    assert refusal(answer) == (404, "unknown_template", [])


@pytest.mark.parametrize("version", [2, 2**31, 2**70])
async def test_unknown_version(templates: httpx.AsyncClient, template_id: str, version: int) -> None:
    """A version that a known template does not have is a 404 of its own code."""
    read = await templates.get(f"/templates/{template_id}", params={"version": version})
    rendered = await templates.post(f"/templates/{template_id}/render", json={"version": version})
    assert refusal(read) == refusal(rendered) == (404, "unknown_version", [])


@pytest.mark.parametrize(
    "query", ["?version=0", "?version=new", "/versions?limit=0", "/versions?limit=201", "/versions?cursor=x"]
)
async def test_malformed_query(templates: httpx.AsyncClient, template_id: str, query: str) -> None:
    """A parameter out of range or of the wrong type is named."""
    status, code, fields = refusal(await templates.get(f"/templates/{template_id}{query}"))
    assert (status, code) == (422, "invalid_request")
    assert len(fields) == 1


async def test_source_that_does_not_compile(
    templates: httpx.AsyncClient, template_id: str, fresh_id: Callable[[], str], email: Body
) -> None:
    """Every broken field is named with its line, and nothing is stored."""
    broken = email("{{ name", html="<p>\n{{ name|nofilter }}</p>")
    posted = await templates.post("/templates", json={"id": fresh_id(), **broken})
    put = await templates.put(f"/templates/{template_id}", json=broken)
    expected = (
        422,
        "template_does_not_compile",
        ["$.content.en.email.subject", "$.content.en.email.html"],
    )
    assert refusal(posted) == refusal(put) == expected
    assert posted.json()["errors"][1]["message"] == "email.html (en), line 2: filter nofilter is unknown"
    assert (await templates.get(f"/templates/{template_id}")).json()["version"] == 1


EMAIL = {"email": {"subject": "s", "text": "t"}}
PUSH = {"push": {"title": "t"}}


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({"pt": EMAIL}, ["$.default_locale"]),
        ({"en": {}}, ["$.content.en"]),
        ({"en": {"email": {"subject": "s"}}}, ["$.content.en.email"]),
        ({"en": EMAIL, "pt": PUSH}, ["$.content.en"]),
    ],
    ids=["no default locale", "no channel", "no body", "no default for a channel"],
)
async def test_incomplete_template(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], content: object, fields: list[str]
) -> None:
    """A template that some reader would get nothing from is refused, with the part that is missing."""
    answer = await templates.post("/templates", json={"id": fresh_id(), "content": content})
    assert refusal(answer) == (422, "invalid_template", fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"id": "Bad Id", "content": {"en": {"push": {"title": "t"}}}}',
        b'{"id": "a", "content": {}}',
        b'{"id": "a", "content": {"not a locale": {"push": {"title": "t"}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": 1}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": ""}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": "t", "titel": "t"}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": "\\ud800"}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": "\\u0000"}}}}',
        b'{"id": "a", "content": {"en": {"push": {"title": "t", "data": {"\\u0000": "x"}}}}}',
        b'{"id": "a", "content": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
async def test_malformed_body(templates: httpx.AsyncClient, body: bytes) -> None:
    """Whatever is sent, the answer is a problem that says what is wrong, and never a 500."""
    answer = await templates.post("/templates", content=body, headers={"Content-Type": "application/json"})
    status, _, _ = refusal(answer)
    assert status in {400, 422}


async def test_body_that_is_too_large(templates: httpx.AsyncClient, fresh_id: Callable[[], str]) -> None:
    """A body of 5 MiB is refused as too large."""
    content = {"en": {"push": {"title": "t", "body": "x" * 5 * 1024 * 1024}}}
    answer = await templates.post("/templates", json={"id": fresh_id(), "content": content})
    assert refusal(answer)[:2] == (413, "body_too_large")


async def test_scopes(
    templates: httpx.AsyncClient, template_id: str, service_token: Callable[..., str], email: Body
) -> None:
    """Reading and writing each need their scope, and without a credential nothing is answered."""
    reader = {"Authorization": f"Bearer {service_token('templates', 'templates:read')}"}
    writer = {"Authorization": f"Bearer {service_token('templates', 'templates:write')}"}
    path = f"/templates/{template_id}"
    assert (await templates.get(path, headers=reader)).status_code == 200
    assert (await templates.put(path, json=email("v2"), headers=writer)).status_code == 200
    assert refusal(await templates.get(path, headers=writer)) == (403, "missing_scope", [])
    assert refusal(await templates.put(path, json=email(), headers=reader)) == (403, "missing_scope", [])
    assert refusal(await templates.post("/templates", json={}, headers=reader))[:2] == (403, "missing_scope")
    nobody = {"Authorization": ""}
    assert refusal(await templates.get(path, headers=nobody)) == (401, "missing_credential", [])

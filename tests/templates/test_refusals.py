"""What the template service refuses, and how it says so."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.polling import eventually

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
        ({"en": {"email": {"subject": "s", "html": "<p>", "mjml": "<mjml/>"}}}, ["$.content.en.email"]),
    ],
    ids=["no default locale", "no channel", "no body", "no default for a channel", "two bodies"],
)
async def test_incomplete_template(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], content: object, fields: list[str]
) -> None:
    """A template that some reader would get nothing from is refused, with the part that is missing."""
    answer = await templates.post("/templates", json={"id": fresh_id(), "content": content})
    assert refusal(answer) == (422, "invalid_template", fields)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"schema": {"type": "no such type"}}, "$.schema.type"),
        ({"schema": {"$ref": "https://example.com/schema.json"}}, "$.schema"),
        ({"schema": {"properties": {"n": {"type": "integer"}}}, "sample": {"n": "one"}}, "$.sample.n"),
        ({"sample": {"a": ["\0"]}}, "$.sample"),
        ({"schema": {"title": "\0"}}, "$.schema"),
    ],
)
async def test_schema_or_sample_that_is_wrong(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body, data: dict[str, Any], field: str
) -> None:
    """A schema must be one, reach for nothing outside, and the sample must fit it."""
    answer = await templates.post("/templates", json={"id": fresh_id(), **email(), **data})
    assert refusal(answer) == (422, "invalid_template", [field])


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
    """A template of 2 MiB is refused as too large."""
    content = {"en": {"push": {"title": "t", "body": "x" * 2 * 1024 * 1024}}}
    answer = await templates.post("/templates", json={"id": fresh_id(), "content": content})
    assert refusal(answer)[:2] == (413, "body_too_large")


async def test_field_that_is_too_large(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """A body that is taken may hold a field that is not; it is named with its limit."""
    answer = await templates.post("/templates", json={"id": fresh_id(), **email(html="x" * 1024 * 1024)})
    assert refusal(answer)[:2] == (422, "invalid_request")
    assert "500000" in answer.json()["detail"]


async def test_partial_that_makes_too_much_of_a_template(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str]
) -> None:
    """A small body that partials blow up is refused with what it comes to, however many languages it has."""
    name = fresh_id()
    await templates.put(f"/partials/{name}", json={"source": "x" * 400_000})
    local = {"email": {"subject": "s", "text": f"{{% include '{name}' %}}"}}
    content = {f"a{first}{second}": local for first in "abcde" for second in "abcde"}
    body = {"id": fresh_id(), "default_locale": "aaa", "content": content}
    answer = await templates.post("/templates", json=body)
    assert refusal(answer) == (422, "template_does_not_compile", ["$.content"])
    assert "8,388,608" in answer.json()["detail"]


BOMBS = {
    "loops": "{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}{% endfor %}{% endfor %}",
    "doubling": "{% set a = 'x' * 1000000000 %}{{ a }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
async def test_template_bomb(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body, source: str
) -> None:
    """A template that would take all there is of time or memory is refused, now or when it is rendered."""
    template_id = fresh_id()
    answer = await templates.post("/templates", json={"id": template_id, **email(html=source)})
    if answer.status_code == 201:
        answer = await templates.post(f"/templates/{template_id}/render", json={})
    status, code, _ = refusal(answer)
    assert (status, code) in {(422, "template_does_not_compile"), (422, "render_failed")}

    async def is_ready() -> bool:
        return (await templates.get("/health/ready")).status_code == 200

    await eventually(is_ready)  # PostgreSQL has two seconds to answer


async def test_templates_reach_nothing_but_their_variables(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """There is no way from a value to the program behind it."""
    template_id = fresh_id()
    body = {"id": template_id, **email(html="{{ ''.__class__.__mro__ }}")}
    answer = await templates.post("/templates", json=body)
    if answer.status_code == 201:
        answer = await templates.post(f"/templates/{template_id}/render", json={})
    assert refusal(answer)[0] == 422
    assert "class 'str'" not in answer.text


async def test_letters_of_any_kind(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Body
) -> None:
    """Emoji and right-to-left text pass; line breaks in a subject's value become spaces."""
    body = {"id": fresh_id(), **email("{{ who }} 🎉", text="שלום {{ who }}")}
    assert (await templates.post("/templates", json=body)).status_code == 201
    who = "عادل\r\nBcc: all@example.com"
    rendered = (
        await templates.post(f"/templates/{body['id']}/render", json={"variables": {"who": who}})
    ).json()
    assert rendered["email"]["subject"] == "عادل Bcc: all@example.com 🎉"
    assert rendered["email"]["text"] == f"שלום {who}"


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

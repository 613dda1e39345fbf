"""A test email goes to one address through the email service."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest

from client.remote import Remote, Reply, problem, running_server
from support.ports import free_port
from support.servers import SERVICE_SECRET, client_of
from tidings.kit.auth import ServiceTokens
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

CONTENT = {
    "en": {"email": {"subject": "Hello {{ name }}", "text": "Leave: {{ unsubscribe_url }}"}},
    "pt": {"email": {"subject": "Olá {{ name }}", "text": "t"}},
}
SENT = Reply({"sent": True, "provider": "smtp", "detail": "250 OK"})


@pytest.fixture
async def email_service() -> AsyncIterator[Remote]:
    """What answers in the email service's place, on a real port."""
    async with running_server() as server:
        yield server.fresh()


@pytest.fixture
async def templates(
    templates_settings: TemplatesSettings, email_service: Remote, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service that knows that email service."""
    settings = msgspec.structs.replace(templates_settings, email_url=email_service.url)
    async with open_app(settings) as app, client_of(app, service_token("templates")) as client:
        yield client


@pytest.fixture
async def path(templates: httpx.AsyncClient, fresh_id: Callable[[], str]) -> str:
    """Where a template with an email in two languages and a sample is tried."""
    body = {"id": fresh_id(), "content": CONTENT, "sample": {"name": "Ada"}}
    answer = await templates.post("/templates", json=body)
    assert answer.status_code == 201, answer.text
    return f"/templates/{body['id']}/test"


async def test_rendering_is_handed_to_the_email_service(
    templates: httpx.AsyncClient, email_service: Remote, path: str
) -> None:
    """Address and filled in sample go out under a service token, and the provider's words come back."""
    email_service.replies(SENT)
    answer = await templates.post(path, json={"to": "me@example.com"})
    assert (answer.status_code, answer.json()) == (200, SENT.body)
    [asked] = email_service.asked
    assert (asked.method, asked.path) == ("POST", "/test-emails")
    assert asked.body["to"] == "me@example.com"
    assert asked.body["email"]["subject"] == "Hello Ada"
    assert "{{" not in asked.body["email"]["text"]
    token = asked.headers["authorization"].removeprefix("Bearer ")
    assert ServiceTokens("email", SERVICE_SECRET).check(token).owner == "templates"


async def test_draft_in_another_language_can_be_tried(
    templates: httpx.AsyncClient, email_service: Remote, path: str
) -> None:
    """What is rendered is what a request for a rendering would show."""
    email_service.replies(SENT)
    content: dict[str, Any] = {
        "pt": {"email": {"subject": "Rascunho {{ name }}", "text": "t"}},
        "en": CONTENT["en"],
    }
    await templates.put(path.replace("/test", "/draft"), json={"content": content})
    body = {"to": "me@example.com", "draft": True, "locale": "pt-BR", "variables": {"name": "Bia"}}
    assert (await templates.post(path, json=body)).status_code == 200
    assert email_service.asked[0].body["email"]["subject"] == "Rascunho Bia"


async def test_template_without_an_email_cannot_be_tried(
    templates: httpx.AsyncClient, email_service: Remote, fresh_id: Callable[[], str]
) -> None:
    """A template that only pushes is refused before anyone is asked."""
    body = {"id": fresh_id(), "content": {"en": {"push": {"title": "t"}}}}
    await templates.post("/templates", json=body)
    answer = await templates.post(f"/templates/{body['id']}/test", json={"to": "me@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (422, "template_lacks_channel")
    assert email_service.asked == []


async def test_values_that_are_missing_are_named(
    templates: httpx.AsyncClient, email_service: Remote, path: str
) -> None:
    """Nothing is sent that cannot be rendered."""
    answer = await templates.post(path, json={"to": "me@example.com", "variables": {}})
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_variable")
    assert email_service.asked == []


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (problem(422, "invalid_request"), (422, "invalid_request")),
        (problem(401, "unauthenticated"), (503, "email_unavailable")),
        (problem(503, "cache_unavailable"), (503, "email_unavailable")),
        (Reply(b"<html>"), (503, "email_unavailable")),
    ],
    ids=["bad address", "another secret", "down", "something else"],
)
async def test_what_the_email_service_refuses(
    templates: httpx.AsyncClient, email_service: Remote, path: str, reply: Reply, refusal: tuple[int, str]
) -> None:
    """An address it does not take is the caller's to mend; anything else is a 503."""
    email_service.replies(reply)
    answer = await templates.post(path, json={"to": "me@example.com"})
    assert (answer.status_code, answer.json()["code"]) == refusal


async def test_email_service_that_is_not_there(
    templates_settings: TemplatesSettings, service_token: Callable[..., str], path: str
) -> None:
    """While nobody answers at its address, tests are refused with 503."""
    settings = msgspec.structs.replace(templates_settings, email_url=f"http://127.0.0.1:{free_port()}")
    async with open_app(settings) as app, client_of(app, service_token("templates")) as client:
        answer = await client.post(path, json={"to": "me@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (503, "email_unavailable")


async def test_without_an_email_service_there_are_no_tests(
    templates_settings: TemplatesSettings, service_token: Callable[..., str], path: str
) -> None:
    """A service that knows none does not offer to send tests."""
    async with open_app(templates_settings) as app, client_of(app, service_token("templates")) as client:
        answer = await client.post(path, json={"to": "me@example.com"})
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")
        paths = (await client.get("/schema/openapi.json")).json()["paths"]
    assert not any(path.endswith("/test") for path in paths)


async def test_sending_needs_the_scope_to_write(
    templates: httpx.AsyncClient, path: str, service_token: Callable[..., str]
) -> None:
    """Who may only read templates may send nothing."""
    reader = {"Authorization": f"Bearer {service_token('templates', 'templates:read')}"}
    answer = await templates.post(path, json={"to": "me@example.com"}, headers=reader)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")

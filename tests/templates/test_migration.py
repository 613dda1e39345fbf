"""What an older release stored goes on working."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

import tidings.templates
from support.servers import client_of, create_database, provision
from tidings.kit.migrations import upgrade
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

FIRST = "0001_initial.py"
CONTENT: dict[str, Any] = {
    "en": {
        "email": {"subject": "Hello {{ name }}", "html": "<p>{{ name }}</p>", "text": None},
        "push": {"title": "Hi", "body": "", "image": None, "link": None, "data": {"k": "{{ name }}"}},
    },
    "pt": {"email": {"subject": "Olá {{ name }}", "html": None, "text": "{{ name }}"}, "push": None},
}
VARIABLES = {"email": ["name"], "push": ["name"]}


@pytest.fixture
async def older_url(postgres_admin_url: str, tmp_path: Path) -> str:
    """The templates' database as the first release left it, with two versions of one template."""
    url = await provision(await create_database(postgres_admin_url), "templates")
    versions = tmp_path / "versions"
    versions.mkdir()
    first = Path(tidings.templates.__file__).parent / "migrations" / "versions" / FIRST
    (versions / FIRST).write_text(first.read_text())
    await asyncio.to_thread(upgrade, url, schema="templates", folder=tmp_path)
    connection = await asyncpg.connect(url, server_settings={"search_path": "templates"})
    try:
        await connection.execute("insert into templates values ('old', 2)")
        for version in (1, 2):
            await connection.execute(
                "insert into versions values ('old', $1, 'en', $2, $3, now())",
                version,
                msgspec.json.encode(CONTENT).decode(),
                msgspec.json.encode(VARIABLES).decode(),
            )
    finally:
        await connection.close()
    return url


@pytest.fixture
async def templates(
    older_url: str, templates_settings: TemplatesSettings, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this release, started on that database."""
    settings = msgspec.structs.replace(templates_settings, database_url=older_url)
    async with open_app(settings) as app, client_of(app, service_token("templates")) as client:
        yield client


async def test_versions_are_carried_over_as_they_were(templates: httpx.AsyncClient) -> None:
    """They read as before, and what is sent of them does not change by a letter."""
    template = (await templates.get("/templates/old?version=1")).json()
    assert (template["category"], template["variables"]) == ("general", VARIABLES)
    assert template["content"]["en"]["email"]["html"] == "<p>{{ name }}</p>"
    forms = (await templates.get("/templates/old/compiled?version=1")).json()["forms"]
    for locale in ("en", "pt"):
        assert forms[locale]["email"].items() >= CONTENT[locale]["email"].items()
    assert forms["en"]["push"].items() >= CONTENT["en"]["push"].items()
    rendered = await templates.post("/templates/old/render", json={"variables": {"name": "Ada"}})
    assert rendered.json()["email"]["html"] == "<p>Ada</p>"


async def test_versions_can_be_gone_on_from(templates: httpx.AsyncClient) -> None:
    """They are listed, found, and replaced as any other."""
    listed = (await templates.get("/templates", params={"search": "olá"})).json()["templates"]
    assert [(line["id"], line["channels"], line["locales"]) for line in listed] == [
        ("old", ["email", "push"], ["en", "pt"])
    ]
    same = {"content": (await templates.get("/templates/old")).json()["content"]}
    assert (await templates.put("/templates/old", json=same)).json()["version"] == 2
    same["content"]["en"]["email"]["subject"] = "new"
    assert (await templates.put("/templates/old", json=same)).json()["version"] == 3
    assert (await templates.post("/templates/old/rollback", json={"version": 1})).json()["version"] == 4

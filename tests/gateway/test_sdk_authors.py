"""The public SDK for those who keep people and templates, against the gateway and the services behind it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from gateway.conftest import API_KEY
from support.ports import free_port
from support.serving import serving
from tidings.client import Tidings
from tidings.contracts.codes import Channel
from tidings.contracts.keys import NewAccessToken
from tidings.contracts.scopes import Scope
from tidings.contracts.templates import EmailContent, LocalContent, NewTemplate, TemplateContent
from tidings.contracts.users import NewCategory, NewUser
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings


@pytest.fixture(scope="module")
async def url(settings: GatewaySettings) -> AsyncIterator[str]:
    """Where a gateway listens."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield url


@pytest.fixture(scope="module")
async def tidings(url: str) -> AsyncIterator[Tidings]:
    async with Tidings(url, API_KEY) as tidings:
        yield tidings


def saying(subject: str) -> TemplateContent:
    email = EmailContent(subject=subject, text="Hello")
    return TemplateContent(content={"en": LocalContent(email=email)})


async def test_people_are_imported(tidings: Tidings) -> None:
    """Any number of people is stored; faults count them across requests, and what is left out stays."""
    run = uuid4().hex
    people = [NewUser(external_id=f"{run}-{number}", name="Ada") for number in range(1_001)]
    imported = await tidings.users.import_many([*people, NewUser(email="nobody")])
    assert (imported.lines, imported.created, imported.failed) == (1_002, 1_001, 1)
    assert [(fault.line, fault.field) for fault in imported.errors] == [(1_002, "$.email")]

    again = await tidings.users.import_many([NewUser(external_id=f"{run}-7", locale="pt-BR")])
    assert (again.created, again.updated) == (0, 1)
    (found,) = [user async for user in tidings.users.find(external_id=f"{run}-7")]
    assert (found.name, found.locale) == ("Ada", "pt-BR")
    assert (await tidings.users.contact(found.id)).locale == "pt-BR"


async def test_a_template_through_its_life(tidings: Tidings) -> None:
    """A draft becomes a version, is compared, rolled back and copied; the archive gives it back."""
    ours, copy = f"t-{uuid4().hex}", f"c-{uuid4().hex}"
    authoring = tidings.authoring
    await authoring.create(NewTemplate(id=ours, content=saying("One").content))
    draft = await authoring.save_draft(ours, saying("Two"))
    assert (await authoring.draft(ours)) == draft
    assert [one.field for one in (await authoring.compare(ours)).fields] == ["content.en.email.subject"]
    assert (await authoring.publish_draft(ours, if_match=draft.etag)).value.version == 2
    assert await authoring.draft(ours) is None
    assert (await authoring.roll_back(ours, 1)).value.version == 3
    assert [one.version async for one in authoring.versions(ours)] == [3, 2, 1]
    assert (await authoring.duplicate(ours, copy)).value.id == copy

    await authoring.archive(ours)
    assert ours in [one.id for one in await authoring.templates(archived=True)]
    await authoring.restore(ours)
    assert [one.id for one in await authoring.templates(search=ours, channel=Channel.EMAIL)] == [ours]


async def test_categories(tidings: Tidings) -> None:
    """A category is stored, found and deleted."""
    ours = f"c-{uuid4().hex}"
    await tidings.categories.put(ours, NewCategory(name="Offers", push=False))
    assert not (await tidings.categories.read(ours)).push
    await tidings.categories.delete(ours)
    assert ours not in [one.id async for one in tidings.categories.find()]


async def test_a_token_for_somewhere_else(tidings: Tidings, url: str) -> None:
    """A token does what was asked for and no more, and is proved by the published keys."""
    token = await tidings.tokens.exchange(NewAccessToken(scopes=[Scope.TEMPLATES_READ], seconds=60))
    assert token.expires_in == 60
    assert len((await tidings.tokens.public_keys()).keys) >= 1
    async with httpx.AsyncClient(base_url=url) as client:
        headers = {"Authorization": f"Bearer {token.access_token}"}
        assert (await client.get("/v1/templates", headers=headers)).status_code == 200
        assert (await client.get("/v1/users", headers=headers)).status_code == 403


async def test_limits(tidings: Tidings) -> None:
    """What is left is told for each limit."""
    assert {one.name for one in (await tidings.limits.read()).limits} >= {"requests", "notifications"}

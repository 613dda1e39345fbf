"""Mending a dead letter: edits beside the original, refused where a new request would be."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from gateway.dead_letters.letters import Letters
from tidings.kit.ids import now


async def test_edits_stand_beside_the_original(letters: Letters) -> None:
    """Edits add up, a variable is set or taken away, and the original message stays as it was."""
    (letter,) = await letters.die(variables={"name": "Ada", "colour": "red"})
    answer = await letters.edit(letter, variables={"name": "Grace", "size": 3})
    assert answer.status_code == httpx.codes.OK, answer.text
    edited = (await letters.edit(letter, variables={"colour": None}, locale="pt-BR")).json()
    assert edited["edits"] == {"variables": {"name": "Grace", "size": 3}, "locale": "pt-BR"}
    assert edited["message"]["variables"] == {"name": "Ada", "colour": "red"}
    assert edited["edited"]


async def test_the_list_shows_the_expiry_of_a_replay(letters: Letters) -> None:
    """An expiry that an edit sets or takes away is the one that counts."""
    (letter,) = await letters.die(expires_at=now() + timedelta(hours=1))
    await letters.edit(letter, expires_at=None)
    assert (await letters.all())[0]["expires_at"] is None
    await letters.edit(letter, expires_at="2999-01-31T12:00:00+01:00")
    assert (await letters.all())[0]["expires_at"] == "2999-01-31T11:00:00Z"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"variables": {"name": None}}, "missing_variable"),
        ({"template_version": 99}, "unknown_version"),
        ({"expires_at": "2026-01-31T12:00:00"}, "naive_time"),
        ({"expires_at": "2020-01-31T12:00:00Z"}, "already_expired"),
        ({"variables": {"name": "a\0b"}}, "invalid_request"),
        ({"template_id": "invoice"}, "invalid_request"),
        ({"locale": "?"}, "invalid_request"),
    ],
)
async def test_what_could_not_be_delivered_is_refused(
    letters: Letters, changes: dict[str, Any], code: str
) -> None:
    """An edit is checked as a new request is; a refused one changes nothing."""
    (letter,) = await letters.die()
    answer = await letters.edit(letter, **changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not (await letters.all())[0]["edited"]


async def test_an_expired_letter_can_be_mended(letters: Letters) -> None:
    """That a dead letter has expired stands in the way of its replay only."""
    (letter,) = await letters.die(expires_at=now() - timedelta(hours=1))
    assert (await letters.edit(letter, variables={"name": "Grace"})).status_code == httpx.codes.OK
    assert (await letters.replay(letter)).json()["code"] == "already_expired"
    await letters.edit(letter, expires_at=None)
    assert (await letters.replay(letter)).status_code == httpx.codes.ACCEPTED


async def test_an_edit_is_audited_without_its_values(letters: Letters, admin: asyncpg.Connection) -> None:
    """The audit log says which fields were changed, and holds nothing personal."""
    (letter,) = await letters.die()
    await letters.edit(letter, variables={"name": "Grace"})
    entry = await admin.fetchval("select detail from audit_log where subject = $1", letter["id"])
    assert msgspec.json.decode(entry) == {"edited_fields": ["variables"]}


async def test_unknown(letters: Letters) -> None:
    """What is not there cannot be edited."""
    answer = await letters.edit({"id": str(uuid4())}, locale="pt")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_dead_letter")

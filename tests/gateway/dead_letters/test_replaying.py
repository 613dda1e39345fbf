"""Sending one dead letter again, once, linked to what it was."""

import asyncio
from datetime import timedelta

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import NewBody
from gateway.dead_letters.letters import Letters
from gateway.queues import taking
from support.polling import eventually
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE
from tidings.kit.ids import now


async def test_a_replay_is_a_new_notification(letters: Letters) -> None:
    """It says what the original said, links both ways, and goes out by the queue at once."""
    (letter,) = await letters.die(metadata={"order": "17"})
    async with taking(letters.world.broker_url, EMAIL_QUEUE) as taken:
        answer = await letters.replay(letter)
        made = answer.json()["notification_id"]
        await eventually(lambda: made in taken.ids)
    assert answer.status_code == httpx.codes.ACCEPTED
    assert answer.headers["Location"] == f"/v1/notifications/{made}"
    sent = msgspec.json.decode(taken.of(made)[0].message.body, type=DeliveryMessage)
    assert (sent.variables, sent.metadata, sent.template_version) == ({"name": "Ada"}, {"order": "17"}, 1)
    (replay,) = await letters.notifications()
    assert (replay["id"], replay["replay_of"]) == (made, letter["notification_id"])
    assert [one["id"] for one in (await letters.read(letter))["replays"]] == [made]


async def test_twice_needs_to_be_said(letters: Letters) -> None:
    """A dead letter is replayed once, however often and however concurrently that is asked."""
    (letter,) = await letters.die()
    answers = await asyncio.gather(*(letters.replay(letter) for _ in range(5)))
    assert sorted(one.status_code for one in answers) == [202, 409, 409, 409, 409]
    refused = await letters.replay(letter)
    assert refused.json()["code"] == "already_replayed"
    assert len(await letters.notifications()) == 1
    assert (await letters.replay(letter, again=True)).status_code == httpx.codes.ACCEPTED
    assert len(await letters.notifications()) == 2


async def test_what_arrived_after_all(letters: Letters, admin: asyncpg.Connection) -> None:
    """A dead letter whose notification was sent all the same is not sent twice, unless that is said."""
    (letter,) = await letters.die()
    await admin.execute(
        "update notifications set status = 'delivered' where id = $1::text::uuid", letter["notification_id"]
    )
    assert (await letters.replay(letter)).json()["code"] == "already_sent"
    assert (await letters.replay(letter, again=True)).status_code == httpx.codes.ACCEPTED


async def test_what_was_cancelled_meanwhile(letters: Letters, admin: asyncpg.Connection) -> None:
    """A dead letter whose notification was cancelled at that moment is not sent, unless that is said."""
    (letter,) = await letters.die()
    await admin.execute(
        "update notifications set status = 'cancelled' where id = $1::text::uuid", letter["notification_id"]
    )
    plan = await letters.start(dry_run=True)
    assert plan["skipped"] == {"already_cancelled": 1}
    assert (await letters.replay(letter)).json()["code"] == "already_cancelled"
    assert (await letters.replay(letter, again=True)).status_code == httpx.codes.ACCEPTED


async def test_edits_are_sent(letters: Letters) -> None:
    """A replay says what the edits say, and the rest as it was."""
    (letter,) = await letters.die()
    later = (now() + timedelta(hours=1)).isoformat()
    await letters.edit(letter, variables={"name": "Grace"}, locale="pt", expires_at=later)
    async with taking(letters.world.broker_url, EMAIL_QUEUE) as taken:
        made = (await letters.replay(letter)).json()["notification_id"]
        await eventually(lambda: made in taken.ids)
    sent = msgspec.json.decode(taken.of(made)[0].message.body, type=DeliveryMessage)
    assert (sent.variables, sent.locale) == ({"name": "Grace"}, "pt")
    assert sent.expires_at is not None


async def test_the_newest_version_unless_one_is_chosen(letters: Letters) -> None:
    """A replay takes the template as it is now; an edit pins the version that it names."""
    content = {"email": {"subject": "One", "text": "One"}}
    template_id = await letters.world.add_template(f"template-{letters.user_id}", content)
    second = {"content": {"en": {"email": {"subject": "Two", "text": "Two"}}}}
    answer = await letters.world.templates.http.put(f"/templates/{template_id}", json=second)
    assert answer.is_success, answer.text
    newest, pinned = await letters.die(2, template_id=template_id)
    await letters.edit(pinned, template_version=1)
    for letter in (newest, pinned):
        await letters.replay(letter)
    versions = {one["replay_of"]: one["template_version"] for one in await letters.notifications()}
    assert versions == {newest["notification_id"]: 2, pinned["notification_id"]: 1}


async def test_what_would_fail_again_is_refused(letters: Letters) -> None:
    """A replay that its template would refuse is not even begun."""
    (letter,) = await letters.die(variables={})
    refused = await letters.replay(letter)
    assert (refused.status_code, refused.json()["code"]) == (422, "missing_variable")


@pytest.mark.parametrize("files", [1, 3])
async def test_files_go_with_it(
    letters: Letters, new_body: NewBody, admin: asyncpg.Connection, files: int
) -> None:
    """The replay has copies of its own of what was attached, so it outlives the original."""
    attachments = [{"filename": f"{number}.txt", "content": "SGVsbG8="} for number in range(files)]
    body = new_body(email={"attachments": attachments})
    original = (await letters.gateway.post("/v1/notifications", json=body)).json()["id"]
    kept = await admin.fetchval("select message::text from notifications where id = $1::text::uuid", original)
    message = msgspec.json.decode(kept, type=DeliveryMessage)
    (letter,) = await letters.die(email=message.email)
    made = (await letters.replay(letter)).json()["notification_id"]
    rows = await admin.fetch(
        "select id, content from attachments where notification_id = $1::text::uuid", made
    )
    assert [row["content"] for row in rows] == [b"Hello"] * files
    sent = await admin.fetchval("select message::text from notifications where id = $1::text::uuid", made)
    assert all(str(row["id"]) in sent for row in rows)

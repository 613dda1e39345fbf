"""Looking through dead letters: listed, filtered, grouped, read whole, discarded."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from gateway.dead_letters.letters import DEAD_LETTERS, Letters
from gateway.keys import add_key
from support.polling import eventually
from support.servers import PATIENCE
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import FAILED_QUEUE, STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message


async def report(letters: Letters, letter: dict[str, str], provider: str) -> None:
    """What the worker said of the attempt that failed."""
    event = StatusEvent(
        notification_id=UUID(letter["notification_id"]),
        status=Status.FAILED,
        at=datetime.now(UTC),
        attempt=1,
        reason=Reason(letter["reason"]),
        detail=letter["detail"],
        provider=provider,
    )
    body = msgspec.json.encode(StatusReport(events=[event]))
    async with open_broker(letters.world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body, {})])


async def test_pages(letters: Letters) -> None:
    """A list goes on where the page before ended, and each dead letter is in it once."""
    made = await letters.die(5)
    first = (await letters.ask(limit="3")).json()
    second = (await letters.ask(limit="3", cursor=first["next_cursor"])).json()
    listed = [one["id"] for one in first["dead_letters"] + second["dead_letters"]]
    assert listed == [one["id"] for one in reversed(made)]
    assert second["next_cursor"] is None


async def test_filters(letters: Letters) -> None:
    """Each filter leaves what it names, and several together what fits all of them."""
    (plain,) = await letters.die()
    (other,) = await letters.die(reason=Reason.CONTENT_REFUSED, template_id="invoice")
    hour = timedelta(hours=1)
    recorded = datetime.fromisoformat(other["recorded_at"])
    for asked, expected in (
        ({"reason": "content_refused"}, [other]),
        ({"template_id": "welcome"}, [plain]),
        ({"channel": "email"}, [other, plain]),
        ({"channel": "push"}, []),
        ({"group": plain["group"]}, [plain]),
        ({"id": other["id"]}, [other]),
        ({"since": (recorded - hour).isoformat()}, [other, plain]),
        ({"until": (recorded - hour).isoformat()}, []),
        ({"replayed": "true"}, []),
        ({"replayed": "false", "reason": "render_failed"}, [plain]),
        ({"provider": "smtp"}, []),
    ):
        assert await letters.all(**asked) == expected, asked


async def test_what_cannot_be_asked(letters: Letters) -> None:
    """A time without its offset, a time that is none, and a strange cursor are named."""
    for asked, status, code in (
        ({"since": "2026-01-31T12:00:00"}, 422, "naive_time"),
        ({"until": "0001-01-01T00:00:00+14:00"}, 422, "invalid_request"),
        ({"group": "everything"}, 422, "invalid_request"),
        ({"cursor": "next"}, 400, "bad_cursor"),
    ):
        answer = await letters.gateway.get(DEAD_LETTERS, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (status, code), asked


async def test_groups(letters: Letters) -> None:
    """One cause is one group with its count, first and last; its name filters it."""
    for address in ("ada@example.com", "bob@example.com", "eve@example.com"):
        await letters.die(reason=Reason.CONTENT_REFUSED, detail=f"550 5.7.1 <{address}>: spam")
    await letters.die(reason=Reason.CONTENT_REFUSED, detail="552 5.3.4 too large")
    groups = (await letters.ask("/groups")).json()["groups"]
    assert [(one["cause"], one["count"]) for one in groups] == [
        ("550 5.7.1 <(address)>: spam", 3),
        ("552 5.3.4 too large", 1),
    ]
    assert groups[0]["first_at"] < groups[0]["last_at"]
    members = await letters.all(group=groups[0]["group"])
    assert len(members) == 3
    assert groups[0]["example_id"] == members[0]["id"]
    assert (await letters.ask("/groups", limit="1")).json()["more"]


async def test_the_provider_is_part_of_the_cause(letters: Letters) -> None:
    """The same words of two providers are two groups; a provider's own can be asked for."""
    first, second = await letters.die(2, reason=Reason.CONTENT_REFUSED, detail="refused")
    assert first["group"] == second["group"]
    await report(letters, first, "smtp")
    await report(letters, second, "sendgrid")

    async def both_known() -> bool:
        return None not in [one["provider"] for one in await letters.all()]

    await eventually(both_known)
    assert [one["id"] for one in await letters.all(provider="smtp")] == [first["id"]]
    groups = (await letters.ask("/groups")).json()["groups"]
    assert {(one["provider"], one["count"]) for one in groups} == {("smtp", 1), ("sendgrid", 1)}


async def test_read_whole(letters: Letters) -> None:
    """A dead letter shows the original message, each attempt and the provider's words."""
    (letter,) = await letters.die(reason=Reason.CONTENT_REFUSED, detail="550 refused")
    await report(letters, letter, "smtp")

    async def reported() -> bool:
        return "failed" in [one["status"] for one in (await letters.read(letter))["attempts"]]

    await eventually(reported)
    whole = await letters.read(letter)
    assert whole["message"]["variables"] == {"name": "Ada"}
    assert (whole["edits"], whole["body"], whole["replays"]) == (None, None, [])
    last = whole["attempts"][-1]
    assert (last["provider"], last["detail"]) == ("smtp", "550 refused")


async def test_a_stranger_can_be_read(letters: Letters) -> None:
    """What is no message of ours is listed with its body, and cannot be replayed."""
    text = f"who is {uuid4()}"
    async with open_broker(letters.world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(FAILED_QUEUE, [Message(str(uuid4()), text.encode(), {"x-detail": text})])
    found: list[dict[str, str]] = []

    async def recorded() -> bool:
        page = (await letters.gateway.get(DEAD_LETTERS, params={"limit": "200"})).json()
        found[:] = [one for one in page["dead_letters"] if one["detail"] == text]
        return bool(found)

    await eventually(recorded)
    assert (await letters.read(found[0]))["body"] == text
    refused = await letters.replay(found[0])
    assert (refused.status_code, refused.json()["code"]) == (422, "unreadable_dead_letter")


async def test_discard(letters: Letters, admin: asyncpg.Connection) -> None:
    """What a filter names is gone for good, the rest stays, and the audit log says who did it."""
    (gone,) = await letters.die(reason=Reason.CONTENT_REFUSED)
    (kept,) = await letters.die()
    params = {"user_id": letters.user_id, "reason": "content_refused"}
    answer = await letters.gateway.delete(DEAD_LETTERS, params=params)
    assert answer.json() == {"discarded": 1}
    assert await letters.all() == [kept]
    assert (await letters.gateway.get(f"{DEAD_LETTERS}/{gone['id']}")).json()["code"] == "unknown_dead_letter"
    entry = await admin.fetchval(
        "select detail from audit_log where action = 'dead_letters.discarded' order by id desc limit 1"
    )
    assert msgspec.json.decode(entry) == {"filter": params, "discarded": 1}


async def test_discarding_everything_must_be_said(letters: Letters) -> None:
    """Without any filter nothing is discarded."""
    answer = await letters.gateway.delete(DEAD_LETTERS)
    assert (answer.status_code, answer.json()["code"]) == (422, "filter_required")


@pytest.mark.parametrize("letter_id", ["0198c0de-0000-7000-8000-000000000000", "none"])
async def test_unknown(letters: Letters, letter_id: str) -> None:
    """An id that no dead letter has, or no replay, is a 404."""
    answer = await letters.gateway.get(f"{DEAD_LETTERS}/{letter_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_dead_letter")
    answer = await letters.gateway.get(f"{DEAD_LETTERS}/replays/{letter_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_replay")


async def test_scopes(letters: Letters, admin: asyncpg.Connection) -> None:
    """Reading needs one scope, and changing another."""
    (letter,) = await letters.die()
    reader = {"Authorization": f"Bearer {await add_key(admin, 'dead-letters:read')}"}
    read = await letters.gateway.get(DEAD_LETTERS, headers=reader)
    assert read.status_code == httpx.codes.OK
    path = f"{DEAD_LETTERS}/{letter['id']}"
    for refused in (
        await letters.gateway.patch(path, json={"locale": "pt"}, headers=reader),
        await letters.gateway.post(f"{path}/replay", json={}, headers=reader),
        await letters.gateway.post(f"{DEAD_LETTERS}/replays", json={"filter": {}}, headers=reader),
        await letters.gateway.delete(DEAD_LETTERS, params={"id": letter["id"]}, headers=reader),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")

"""Schedules as their owners keep them: added, read, paused, resumed, ended."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.conftest import OpenGateway
from gateway.keys import add_key
from gateway.schedules.conftest import Add, NewSchedule, wall
from support.ports import free_port
from support.world import World, fresh_address

SCOPES = ("notifications:read", "notifications:write")


def moments(schedule: dict[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(one) for one in schedule["next_at"]]


async def actions(admin: asyncpg.Connection, schedule_id: str) -> list[str]:
    """What the audit log says of a schedule."""
    rows = await admin.fetch("select action from audit_log where subject = $1 order by id", schedule_id)
    return [row["action"] for row in rows]


async def test_a_schedule_is_kept(gateway: httpx.AsyncClient, new_schedule: NewSchedule) -> None:
    """A new schedule says when it sends next, and is read as it was answered."""
    body = new_schedule(name="Report", rrule="FREQ=DAILY", start_at_local=wall(days=2))
    answer = await gateway.post("/v1/schedules", json=body)
    schedule = answer.json()
    assert (answer.status_code, schedule["status"], schedule["name"]) == (201, "active", "Report")
    first = datetime.fromisoformat(body["start_at_local"]).replace(tzinfo=UTC)
    assert moments(schedule) == [first + timedelta(days=days) for days in range(5)]
    assert (await gateway.get(answer.headers["Location"])).json() == schedule


async def test_what_is_not_asked_for(add: Add, admin: asyncpg.Connection) -> None:
    """It is not stored: a gateway of the release before, which may not know it, can read the schedule."""
    schedule = await add()
    stored = await admin.fetchval(
        "select array(select jsonb_object_keys(notification)) from schedules where id = $1", schedule["id"]
    )
    assert {"channel", "template_id"} <= set(stored)
    assert not {"also", "fallback", "email", "locale"} & set(stored)


async def test_a_beginning_in_the_past(add: Add) -> None:
    """A rule that began earlier goes on from now: its count has been running since."""
    schedule = await add(rrule="FREQ=DAILY;COUNT=4", start_at_local=wall(days=-2, minutes=-1))
    assert len(schedule["next_at"]) == 1
    assert datetime.now(UTC) < moments(schedule)[0]


async def test_the_clock_of_a_zone(add: Add, world: World) -> None:
    """Without a time zone of its own a schedule goes by the recipient's clock."""
    tokyo = {"user_id": await world.add_user(email=fresh_address(), time_zone="Asia/Tokyo")}
    start = wall(days=3)
    at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    theirs = await add(start_at_local=start, notification=tokyo)
    own = await add(start_at_local=start, notification=tokyo, time_zone="America/Bogota")
    assert moments(theirs)[0] == at - timedelta(hours=9)
    assert moments(own)[0] == at + timedelta(hours=5)


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"rrule": "FREQ=SECONDLY"}, "invalid_rule", "$.rrule"),
        ({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "no_occurrence", "$.rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20260101"}, "no_occurrence", "$.rrule"),
        ({"start_at_local": "9999-12-31T23:59:59"}, "too_far_ahead", "$.start_at_local"),
        ({"start_at_local": "0001-01-01T00:00:00"}, "invalid_request", "$.start_at_local"),
        ({"start_at_local": "2027-01-01T00:00:00Z"}, "invalid_request", "$.start_at_local"),
        ({"time_zone": "Mars/Olympus"}, "invalid_request", "$.time_zone"),
        ({"time_zone": "Europe"}, "invalid_request", "$.time_zone"),
        ({"notification": {"user_id": "nobody"}}, "unknown_user", "$.notification.user_id"),
        ({"notification": {"variables": {}}}, "missing_variable", "$.notification.variables.name"),
        ({"notification": {"also": ["email"]}}, "repeated_channel", "$.notification.also[0]"),
        (
            {"notification": {"fallback": {"channel": "email"}}},
            "repeated_channel",
            "$.notification.fallback.channel",
        ),
        ({"notification": {"also": ["push"]}}, "missing_variable", "$.notification.variables.link"),
        ({"notification": {"request_id": "mine"}}, "invalid_request", "$.notification.request_id"),
        ({"notification": {"metadata": {"a": "\0"}}}, "invalid_request", None),
        ({"name": "\0"}, "invalid_request", "$.name"),
        (
            {"notification": {"email": {"attachments": [{"filename": "a.txt", "content": "YQ=="}]}}},
            "invalid_request",
            "$.notification.email.attachments[0].content",
        ),
    ],
)
async def test_schedules_that_are_refused(
    gateway: httpx.AsyncClient,
    new_schedule: NewSchedule,
    changed: dict[str, Any],
    code: str,
    field: str | None,
) -> None:
    """What could never be sent, or never has an occurrence, is refused with the field at fault."""
    answer = await gateway.post("/v1/schedules", json=new_schedule(**changed))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [fault["field"] for fault in answer.json().get("errors", [])] == ([field] if field else [])


async def test_a_list_of_schedules(
    open_gateway: OpenGateway, new_schedule: NewSchedule, admin: asyncpg.Connection
) -> None:
    """A key lists its own schedules, newest first and page by page, all or those in one state."""
    async with open_gateway() as gateway:
        gateway.headers["Authorization"] = f"Bearer {await add_key(admin, *SCOPES)}"
        ids = [(await gateway.post("/v1/schedules", json=new_schedule())).json()["id"] for _ in range(3)]
        first = (await gateway.get("/v1/schedules", params={"limit": 2})).json()
        query = {"limit": 2, "cursor": first["next_cursor"]}
        second = (await gateway.get("/v1/schedules", params=query)).json()
        assert [one["id"] for one in first["schedules"] + second["schedules"]] == ids[::-1]
        assert second["next_cursor"] is None
        await gateway.post(f"/v1/schedules/{ids[0]}/pause")
        paused = (await gateway.get("/v1/schedules", params={"status": "paused"})).json()
        assert [one["id"] for one in paused["schedules"]] == ids[:1]


async def test_schedules_of_others(gateway: httpx.AsyncClient, add: Add, admin: asyncpg.Connection) -> None:
    """A key without the scope `*` neither sees nor changes the schedules of another key."""
    path = f"/v1/schedules/{(await add())['id']}"
    headers = {"Authorization": f"Bearer {await add_key(admin, *SCOPES)}"}
    for method, end in (("GET", ""), ("POST", "/pause"), ("POST", "/resume"), ("DELETE", "")):
        answer = await gateway.request(method, path + end, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_schedule")
    assert (await gateway.get(path)).json()["status"] == "active"


async def test_pausing_and_resuming(gateway: httpx.AsyncClient, add: Add, admin: asyncpg.Connection) -> None:
    """A paused schedule has no next moment; resumed, it has those it would have had. Both are on record."""
    added = await add()
    path = f"/v1/schedules/{added['id']}"
    for _ in range(2):
        paused = (await gateway.post(f"{path}/pause")).json()
        assert (paused["status"], paused["next_at"]) == ("paused", [])
        assert paused["paused_because"]
    for _ in range(2):
        resumed = (await gateway.post(f"{path}/resume")).json()
        assert (resumed["status"], resumed["paused_because"]) == ("active", None)
        assert resumed["next_at"] == added["next_at"]
    assert await actions(admin, added["id"]) == ["schedule.created", "schedule.paused", "schedule.resumed"]


async def test_the_end_of_a_schedule(gateway: httpx.AsyncClient, add: Add, admin: asyncpg.Connection) -> None:
    """An ended schedule stays to be read, and neither goes on nor ends again."""
    schedule_id = (await add())["id"]
    path = f"/v1/schedules/{schedule_id}"
    for _ in range(2):
        assert (await gateway.delete(path)).status_code == 204
    for change in ("pause", "resume"):
        answer = await gateway.post(f"{path}/{change}")
        assert (answer.status_code, answer.json()["code"]) == (409, "schedule_ended")
    ended = (await gateway.get(path)).json()
    assert (ended["status"], ended["next_at"]) == ("ended", [])
    assert await actions(admin, schedule_id) == ["schedule.created", "schedule.ended"]


async def test_resumed_too_late(gateway: httpx.AsyncClient, add: Add, admin: asyncpg.Connection) -> None:
    """A paused schedule whose rule has run out meanwhile cannot go on."""
    schedule_id = (await add())["id"]
    await gateway.post(f"/v1/schedules/{schedule_id}/pause")
    await admin.execute("update schedules set rrule = 'FREQ=HOURLY;COUNT=1' where id = $1", schedule_id)
    answer = await gateway.post(f"/v1/schedules/{schedule_id}/resume")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_occurrence")


async def test_no_such_schedule(gateway: httpx.AsyncClient) -> None:
    """What is not the id of a schedule is unknown."""
    for name in ("seven", "01990c3e-9a4b-7e52-b3c1-7d5e2f8a6b91"):
        answer = await gateway.get(f"/v1/schedules/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_schedule")


async def test_an_unknown_clock(open_gateway: OpenGateway, new_schedule: NewSchedule) -> None:
    """While nobody knows the recipient's time zone, only schedules with one of their own are taken."""
    async with open_gateway(users_url=f"http://127.0.0.1:{free_port()}") as gateway:
        refused = await gateway.post("/v1/schedules", json=new_schedule())
        assert (refused.status_code, refused.json()["code"]) == (503, "users_unavailable")
        taken = await gateway.post("/v1/schedules", json=new_schedule(time_zone="Europe/Lisbon"))
        assert taken.status_code == 201
        assert all(one < other for one, other in pairwise(moments(taken.json())))

"""Cancelling many: those of some request ids, of a group, or of a schedule."""

from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from gateway.cancelling.conftest import Desk, in_a_while
from gateway.conftest import NewBody
from gateway.keys import add_key
from support.world import World, fresh_address
from tidings.contracts.cancels import MAX_CANCELS, MAX_LEFT
from tidings.contracts.codes import Status
from tidings.delivery.ledger import Ledger


async def test_each_for_itself(desk: Desk, ledger: Ledger) -> None:
    """Each is cancelled or refused as it would be alone; what no notification has is named."""
    names = [f"many-{uuid4()}" for _ in range(4)]
    sent = [
        await desk.send_queued(request_id=names[0]),
        await desk.send_queued(request_id=names[1]),
        await desk.send(request_id=names[2], send_at=in_a_while()),
    ]
    await ledger.claim(sent[1], "email", "smtp")
    answer = await desk.cancel_many(request_ids=names, reason="The shop is closed")
    assert (answer["cancelled"], answer["refused"], answer["left"], answer["unknown"]) == (2, 1, 0, names[3:])
    assert [item["id"] for item in answer["items"]] == [str(one) for one in sent]
    assert [item.get("problem", {}).get("code") for item in answer["items"]] == [
        None,
        "already_sending",
        None,
    ]
    assert [item["status"] for item in answer["items"]] == ["cancelled", "queued", "cancelled"]
    found = await desk.read(sent[2])
    assert found["timeline"][-1]["detail"] == "The shop is closed"
    again = await desk.cancel_many(request_ids=names)
    assert (again["cancelled"], again["refused"]) == (2, 1)


async def test_a_group_with_its_fallback(desk: Desk, world: World) -> None:
    """A group is all that one request became; a fallback that waits goes with its first, also alone."""
    user_id = await world.add_user(email=fresh_address())
    await world.add_device(user_id, f"device-{uuid4()}")
    body = {
        "user_id": user_id,
        "channel": "push",
        "variables": {"name": "Ada", "link": "/"},
        "fallback": {"channel": "email", "after_seconds": 3600},
    }
    for whole in (True, False):
        request_id = f"group-{uuid4()}"
        first = await desk.send_queued(request_id=request_id, **body)
        if whole:
            answer = await desk.cancel_many(group_id=str(first))
            assert (answer["cancelled"], answer["left"], len(answer["items"])) == (2, 0, 2)
        else:
            assert (await desk.cancel(first)).status_code == 200
        page = (await desk.http.get("/v1/notifications", params={"request_id": request_id})).json()
        assert [one["status"] for one in page["notifications"]] == ["cancelled"] * 2


async def test_a_schedule_goes_on_where_it_stopped(desk: Desk, admin: asyncpg.Connection) -> None:
    """A call takes the 1,000 oldest that wait, and says how many are left; what is settled is not meant."""
    schedule_id, model = uuid4(), await desk.send(send_at=in_a_while())
    columns = await admin.fetchval(
        """
        select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = 'notifications'::regclass and attnum > 0 and attname not in ('id', 'schedule_id')
          and not attisdropped
        """
    )
    statement = f"""
        insert into notifications (id, schedule_id, {columns})
        select gen_random_uuid(), $1, {columns} from notifications, generate_series(1, $3) where id = $2
    """  # noqa: S608 - the columns that the table has
    await admin.execute(statement, schedule_id, model, MAX_CANCELS + 3)
    first = await desk.cancel_many(schedule_id=str(schedule_id))
    second = await desk.cancel_many(schedule_id=str(schedule_id))
    third = await desk.cancel_many(schedule_id=str(schedule_id))
    counts = [(one["cancelled"], one["left"], len(one["items"])) for one in (first, second, third)]
    assert counts == [(MAX_CANCELS, 3, MAX_CANCELS), (3, 0, 3), (0, 0, 0)]
    assert (await desk.read(model))["status"] == Status.SCHEDULED


async def copy(
    admin: asyncpg.Connection, model: UUID, count: int, *, request_id: str, status: Status
) -> None:
    """Put so many notifications beside one, all of one name."""
    columns = await admin.fetchval(
        """
        select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = 'notifications'::regclass and attnum > 0 and not attisdropped
          and attname not in ('id', 'request_id', 'status')
        """
    )
    statement = f"""
        insert into notifications (id, request_id, status, {columns})
        select gen_random_uuid(), $2, $3, {columns} from notifications, generate_series(1, $4) where id = $1
    """  # noqa: S608 - the columns that the table has
    await admin.execute(statement, model, request_id, status, count)


async def test_what_waits_comes_before_what_is_settled(desk: Desk, admin: asyncpg.Connection) -> None:
    """Of a name that thousands have, those that wait are cancelled, and settled ones fill the answer."""
    name = f"many-{uuid4()}"
    waiting = [await desk.send(request_id=name, send_at=in_a_while())]
    await copy(admin, waiting[0], 2 * MAX_CANCELS, request_id=name, status=Status.DELIVERED)
    answer = await desk.cancel_many(request_ids=[name])
    assert (answer["cancelled"], answer["refused"], answer["left"]) == (1, MAX_CANCELS - 1, 0)
    assert answer["items"][0]["id"] == str(waiting[0])
    assert answer["unknown"] == []


async def test_what_is_left_is_counted_so_far(desk: Desk, admin: asyncpg.Connection) -> None:
    """However many wait, a call is bounded: `left` says 10,000 for whatever is more."""
    name = f"many-{uuid4()}"
    model = await desk.send(send_at=in_a_while())
    await copy(admin, model, MAX_CANCELS + MAX_LEFT + 3, request_id=name, status=Status.SCHEDULED)
    first = await desk.cancel_many(request_ids=[name])
    assert (first["cancelled"], first["left"]) == (MAX_CANCELS, MAX_LEFT)
    await admin.execute("delete from notifications where request_id = $1", name)


async def test_names_belong_to_the_key(desk: Desk, admin: asyncpg.Connection) -> None:
    """A key cancels by name what it sent itself; with the scope `*` what everyone sent."""
    name = f"many-{uuid4()}"
    other = {"Authorization": f"Bearer {await add_key(admin, 'notifications:write')}"}
    body = desk.new_body(request_id=name, send_at=in_a_while())
    theirs = (await desk.http.post("/v1/notifications", json=body, headers=other)).json()["id"]
    mine = await desk.send(request_id=name, send_at=in_a_while())
    ask = {"request_ids": [name]}
    answer = (await desk.http.post("/v1/notifications/cancel", json=ask, headers=other)).json()
    assert [item["id"] for item in answer["items"]] == [theirs]
    assert (await desk.read(mine))["status"] == Status.SCHEDULED
    everyone = await desk.cancel_many(**ask)
    assert {item["id"] for item in everyone["items"]} == {theirs, str(mine)}
    unknown = await desk.http.post(
        "/v1/notifications/cancel", json={"request_ids": [str(uuid4()), name]}, headers=other
    )
    assert len(unknown.json()["unknown"]) == 1


async def test_without_redis(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """What the database alone can decide is cancelled; the others are refused for now."""
    desk = Desk(gateway, new_body)
    names = [f"many-{uuid4()}" for _ in range(2)]
    await desk.send_queued(request_id=names[0])
    await desk.send(request_id=names[1], send_at=in_a_while())
    answer = await desk.cancel_many(request_ids=names)
    assert (answer["cancelled"], answer["refused"]) == (1, 1)
    assert answer["items"][0]["problem"]["code"] == "cache_unavailable"
    assert answer["items"][0]["problem"]["status"] == 503


async def test_the_audit_log_has_it(desk: Desk) -> None:
    """Who cancelled many, of what, and how many; nothing where nothing was cancelled, and no reason."""
    group = await desk.send(send_at=in_a_while())
    for _ in range(2):
        await desk.cancel_many(group_id=str(group), reason="Ada Lovelace moved")
    query = {"action": "notifications.cancelled"}
    entries = (await desk.http.get("/v1/audit-log", params=query)).json()["entries"]
    mine = [entry for entry in entries if entry["subject"] == str(group)]
    assert [entry["detail"] for entry in mine] == [{"cancelled": 1}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "Only that"},
        {"group_id": str(uuid4()), "schedule_id": str(uuid4())},
        {"request_ids": []},
        {"request_ids": ["a"] * (MAX_CANCELS + 1)},
        {"request_ids": ["a\0"]},
    ],
    ids=["nothing", "no filter", "two", "none", "too many", "unstorable"],
)
async def test_what_does_not_say_which(desk: Desk, body: dict[str, object]) -> None:
    """Exactly one filter has to be given, with up to 1,000 request ids."""
    answer = await desk.http.post("/v1/notifications/cancel", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

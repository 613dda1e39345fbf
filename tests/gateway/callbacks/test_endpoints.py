"""Keeping endpoints: whose they are, what they may be, and what they are shown as."""

import pytest
from aiohttp import web

from gateway.callbacks.conftest import Caller, Desk, Hooks, OpenDesk
from support.polling import eventually

PATH = "/v1/callback-endpoints"


async def test_a_secret_is_shown_once(caller: Caller, hooks: Hooks) -> None:
    """Adding and rotating show the secret; reading and listing do not."""
    endpoint = await caller.add(hooks.new(), description="Orders")
    assert endpoint["secret"].startswith("whsec_")
    shown = {name: value for name, value in endpoint.items() if name != "secret"}
    assert await caller.read(endpoint) == shown
    assert (await caller.http.get(PATH)).json() == {"endpoints": [shown], "next_cursor": None}


async def test_pages_of_endpoints_and_deliveries(caller: Caller, hooks: Hooks) -> None:
    """Cursors lead through all of them, newest first, each once."""
    hook = hooks.new()
    ids = [(await caller.add(hooks.new()))["id"] for _ in range(4)]
    endpoint = await caller.add(hook)
    await caller.sent(3)
    await hook.wait_for(3)
    assert await walked(caller, PATH, "endpoints") == [endpoint["id"], *reversed(ids)]
    found = await walked(caller, f"{PATH}/{endpoint['id']}/deliveries", "deliveries")
    assert len(set(found)) == 3
    assert found == sorted(found, reverse=True)


async def walked(caller: Caller, path: str, name: str) -> list[str]:
    """The ids on all pages of two."""
    ids: list[str] = []
    cursor: str | None = None
    while cursor or not ids:
        page = (
            await caller.http.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        ids += [one["id"] for one in page[name]]
        cursor = page["next_cursor"]
    return ids


async def test_others_do_not_see_it(desk: Desk, caller: Caller, hooks: Hooks) -> None:
    """Another key finds nothing at any path; one that may do everything finds it."""
    endpoint = await caller.add(hooks.new())
    one = f"{PATH}/{endpoint['id']}"
    async with desk.caller() as other, desk.caller("*") as admin:
        answers = [
            await other.http.get(one),
            await other.http.patch(one, json={"enabled": False}),
            await other.http.delete(one),
            await other.http.get(f"{one}/deliveries"),
            *[await other.http.post(f"{one}/{what}") for what in ("test", "resume", "rotate-secret")],
            await other.http.post(f"{one}/recover", json={"since": "2026-01-31T12:00:00Z"}),
            await other.http.get(f"{PATH}/what"),
        ]
        assert {(one.status_code, one.json()["code"]) for one in answers} == {
            (404, "unknown_callback_endpoint")
        }
        assert (await other.http.get(PATH)).json()["endpoints"] == []
        assert (await admin.read(endpoint))["id"] == endpoint["id"]
        assert (await admin.http.delete(one)).status_code == 204


async def test_changes(caller: Caller, hooks: Hooks) -> None:
    """A patch changes what it names; what happens while the endpoint is disabled is missed."""
    first, second = hooks.new(), hooks.new()
    endpoint = await caller.add(first, description="Orders")
    one = f"{PATH}/{endpoint['id']}"
    changed = await caller.http.patch(one, json={"url": second.url, "description": None, "enabled": False})
    assert (changed.json()["status"], changed.json()["description"]) == ("disabled", None)
    await caller.sent()

    async def missed() -> bool:
        return len(await caller.deliveries(endpoint, status="missed")) == 1

    await eventually(missed)
    changed = await caller.http.patch(one, json={"enabled": True})
    assert (changed.json()["status"], changed.json()["events"]) == ("active", ["*"])
    await caller.sent()
    await second.wait_for(1)
    await caller.ask(endpoint, "recover", since=endpoint["created_at"])
    await second.wait_for(2)
    assert (first.got, len(set(second.ids))) == ([], 2)


@pytest.mark.parametrize(
    ("since", "code"),
    [("2026-01-31T12:00:00", "naive_time"), ("0001-01-01T00:00:00+14:00", "invalid_request")],
)
async def test_recovering_since_a_time_that_is_none(
    caller: Caller, hooks: Hooks, since: str, code: str
) -> None:
    """A moment needs its UTC offset, and to be one that there is in UTC too."""
    endpoint = await caller.add(hooks.new())
    answer = await caller.http.post(f"{PATH}/{endpoint['id']}/recover", json={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["field"] == "$.since"


async def test_a_deleted_endpoint_gets_nothing_more(caller: Caller, hooks: Hooks) -> None:
    """Not even what was waiting for another attempt."""
    hook, other = hooks.new(), hooks.new()
    endpoint = await caller.add(hook)
    assert (await caller.http.delete(f"{PATH}/{endpoint['id']}")).status_code == 204
    await caller.add(other)
    await caller.sent()
    await other.wait_for(1)
    assert hook.got == []
    assert (await caller.http.get(f"{PATH}/{endpoint['id']}")).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]:8443/",
        "https://[::ffff:169.254.169.254]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "http://example.com/plain",
        "https://user:secret@example.com/",
    ],
)
async def test_addresses_that_are_refused(caller: Caller, url: str) -> None:
    """Inside addresses, plain http and passwords in URLs are refused, when added and when changed."""
    answer = await caller.http.post(PATH, json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "forbidden_address")
    endpoint = (await caller.http.post(PATH, json={"url": "https://example.com/"})).json()
    answer = await caller.http.patch(f"{PATH}/{endpoint['id']}", json={"url": url})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "$.url")


async def test_a_name_that_leads_inside_is_not_posted_to(caller: Caller) -> None:
    """What a name leads to is checked when it is posted to."""
    endpoint = (await caller.http.post(PATH, json={"url": "https://localhost:9/"})).json()
    tested = await caller.ask(endpoint, "test")
    assert tested["taken"] is False
    assert tested["attempt"]["error"] == "localhost:9 is not a public address"


async def test_a_test_event(caller: Caller, hooks: Hooks) -> None:
    """It is signed like any other, its answer is shown, and it is not repeated."""
    hook = hooks.new()
    hook.answers = [web.Response(status=418, text="I am a teapot")]
    endpoint = await caller.add(hook)
    tested = await caller.ask(endpoint, "test")
    assert (tested["taken"], tested["attempt"]["status_code"]) == (False, 418)
    assert tested["attempt"]["answer"] == "I am a teapot"
    assert (await caller.ask(endpoint, "test"))["taken"] is True
    assert [event["type"] for event in hook.verified(endpoint["secret"])] == ["callback_endpoint.test"] * 2
    assert hook.ids[0] == tested["event_id"]


async def test_a_long_answer_is_cut(caller: Caller, hooks: Hooks) -> None:
    """However much an endpoint answers, it has taken the event, and little of it is kept."""
    hook = hooks.new()
    hook.answers = [web.Response(text="x" * 10_000), web.Response(text="x" * 1_000_000)]
    endpoint = await caller.add(hook)
    tested = await caller.ask(endpoint, "test")
    assert (tested["taken"], len(tested["attempt"]["answer"])) == (True, 500)
    assert (await caller.ask(endpoint, "test"))["taken"] is True


async def test_an_endpoint_that_does_not_answer_in_time(open_desk: OpenDesk, hooks: Hooks) -> None:
    """It is a failure, and says so."""
    hook = hooks.new()
    hook.close()
    async with open_desk(callback_seconds=0.2) as desk, desk.caller() as caller:
        tested = await caller.ask(await caller.add(hook), "test")
    hook.opened.set()
    assert tested["attempt"]["error"] == f"{hooks.place} did not answer within 0.2 s"


async def test_an_endpoint_added_during_a_slow_reading(open_desk: OpenDesk, hooks: Hooks) -> None:
    """What the gateway read before it was added, and hears of after, does not make it forget the endpoint."""
    async with open_desk() as desk, desk.caller() as caller:
        await caller.add(hooks.new())
        await desk.admin.execute(_HOLD_THE_NEXT_READING)

        async def is_held() -> bool:
            return bool(await desk.admin.fetchval("select is_called from readings"))

        await eventually(is_held)
        hook = hooks.new()
        await caller.add(hook)
        await desk.admin.execute("select pg_advisory_unlock(1)")
        await caller.sent()
        await hook.wait_for(1)


# A reading of endpoints sees the table as it was when it began, however long its rows take.
_HOLD_THE_NEXT_READING = """
create sequence readings;
create function hold() returns boolean security definer set search_path from current as $$
begin
    if current_query() not like '%callback_deliveries%' and nextval('readings') = 1 then
        perform pg_advisory_xact_lock_shared(1);
    end if;
    return true;
end
$$ language plpgsql volatile;
select pg_advisory_lock(1);
alter table callback_endpoints enable row level security, force row level security;
create policy everything on callback_endpoints using (true) with check (true);
create policy slowly on callback_endpoints as restrictive for select using (hold());
"""


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"events": ["notification.eaten"]}, "$.events[0]"),
        ({"events": []}, "$.events"),
        ({"channels": ["pigeon"]}, "$.channels[0]"),
        ({"url": "ftp://example.com/"}, "$.url"),
        ({"secret": "mine"}, "$.secret"),
    ],
)
async def test_what_does_not_fit(caller: Caller, changed: dict[str, object], field: str) -> None:
    """The answer names the field."""
    answer = await caller.http.post(PATH, json={"url": "https://example.com/", **changed})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert field in answer.text


async def test_there_is_a_most(desk: Desk, caller: Caller, hooks: Hooks) -> None:
    """A key may have 50 endpoints."""
    hook = hooks.new()
    for _ in range(50):
        await caller.add(hook)
    answer = await caller.http.post(PATH, json={"url": hook.url})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_callback_endpoints")
    async with desk.caller() as other:
        await other.add(hook)


async def test_scopes(desk: Desk, hooks: Hooks) -> None:
    """Reading and writing need a scope each."""
    async with desk.caller("callbacks:read") as reader, desk.caller("callbacks:write") as writer:
        assert (await reader.http.post(PATH, json={"url": hooks.new().url})).status_code == 403
        assert (await writer.http.get(PATH)).status_code == 403
        await writer.add(hooks.new())


async def test_changes_are_in_the_audit_log(desk: Desk, caller: Caller, hooks: Hooks) -> None:
    """Each change has an entry with who made it, and no secret."""
    endpoint = await caller.add(hooks.new())
    await caller.http.patch(f"{PATH}/{endpoint['id']}", json={"channels": ["email"]})
    rotated = await caller.ask(endpoint, "rotate-secret")
    await caller.ask(endpoint, "recover", since=endpoint["created_at"])
    await caller.ask(endpoint, "resume")
    await caller.http.delete(f"{PATH}/{endpoint['id']}")
    rows = await desk.admin.fetch(
        "select actor, action, detail::text from audit_log where subject = $1 order by id", endpoint["id"]
    )
    actions = [row["action"].partition(".")[2] for row in rows]
    assert actions == ["created", "changed", "secret_rotated", "recovered", "resumed", "deleted"]
    assert len({row["actor"] for row in rows}) == 1
    assert not any(
        secret in row["detail"] for row in rows for secret in (endpoint["secret"], rotated["secret"])
    )

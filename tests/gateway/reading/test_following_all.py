"""The live feed: every step that fits, once and in one order, at every gateway."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY
from gateway.keys import add_key
from gateway.reading.conftest import Follow, Workers, reader_of, step, told
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE, open_schema
from support.serving import service_process, serving
from tidings.contracts.codes import Status
from tidings.gateway.app import open_app
from tidings.gateway.reading.feed import open_feed
from tidings.gateway.reading.step_store import StepStore
from tidings.gateway.reading.streaming import follow_all
from tidings.gateway.reading.subscription import BUFFER
from tidings.gateway.settings import GatewaySettings

FEED = "/v1/events"


async def test_what_a_filter_asks_for(follow: Follow, workers: Workers, person: str) -> None:
    """A stream has the steps of the person, channel, template and states asked for, and no others."""
    other, mine = await workers.accept(), await workers.accept(user_id=person)
    query = {"user_id": person, "channel": "email", "template_id": "welcome", "status": ["sent", "failed"]}
    async with follow(FEED, **query) as reader, follow(FEED, user_id=person, channel="push") as push:
        assert [(await one.next()).kind for one in (reader, push)] == ["open", "open"]  # type: ignore[union-attr]  # a stream that ended fails here
        await workers.report(
            [step(other, Status.SENT), step(mine, Status.RETRYING), step(mine, Status.SENT, 2)]
        )
        event = await reader.next()
        assert event is not None
        assert told([event]) == [("sent", 2)]
        assert event.data["notification_id"] == str(mine)
        phone = await workers.accept(
            user_id=person, channel="push", variables={"name": "Ada", "link": "https://example.com"}
        )
        await workers.report([step(phone, Status.SUPPRESSED)])
        assert told(await push.take(1)) == [("suppressed", 1)]


async def test_what_a_test_key_may_follow(
    follow_tests: Follow, workers: Workers, trying: httpx.AsyncClient, person: str
) -> None:
    """A test key's stream has the steps of what was sent with test keys, marked as such, and no others."""
    live = await workers.accept(user_id=person)
    test = await Workers(trying, workers.broker, workers.new_body).accept(user_id=person)
    async with follow_tests(FEED, user_id=person) as reader:
        await reader.next()
        await workers.report([step(live, Status.SENT), step(test, Status.SENT)])
        event = await reader.next()
        assert event is not None
        assert (event.data["notification_id"], event.data["sandbox"]) == (str(test), True)


async def test_every_stream_has_the_same(follow: Follow, workers: Workers, person: str) -> None:
    """What many reports bring at once comes to each stream once, in the same order, with the same ids."""
    ids = [await workers.accept(user_id=person) for _ in range(20)]
    async with follow(FEED, user_id=person) as one, follow(FEED, user_id=person) as two:
        await asyncio.gather(one.next(), two.next())
        reports = [[step(each, Status.RETRYING, attempt)] for each in ids for attempt in range(1, 11)]
        await asyncio.gather(*(workers.report(events) for events in reports))
        first, second = await asyncio.gather(one.take(200), two.take(200))
    assert first == second
    seen = {(event.data["notification_id"], event.data["attempt"]) for event in first}
    assert seen == {(str(each), attempt) for each in ids for attempt in range(1, 11)}
    assert len({event.id for event in first}) == 200


async def test_going_on_after_an_event(
    follow: Follow, follow_anew: Follow, workers: Workers, person: str, admin: asyncpg.Connection
) -> None:
    """With the id of an event the reader gets all that it missed, in order, and then what comes."""
    one = await workers.accept(user_id=person)
    async with follow(FEED, user_id=person) as reader:
        opened = await reader.next()
        assert opened is not None
    await workers.report([step(one, Status.RETRYING, attempt) for attempt in range(1, 1_201)])
    # What is not known yet would come live, and be more than may wait for a reader.
    await eventually(lambda: are_past(admin, one, 1_200))
    async with follow_anew(FEED, after=opened.id, user_id=person) as reader:
        await reader.next()
        missed = await reader.take(1_200)
        assert told(missed) == [("retrying", attempt) for attempt in range(1, 1_201)]
    async with follow_anew(FEED, after=missed[-2].id, user_id=person) as reader:
        await reader.next()
        await workers.report([step(one, Status.SENT, 1_201)])
        assert told(await reader.take(2)) == [("retrying", 1_200), ("sent", 1_201)]


async def are_past(admin: asyncpg.Connection, notification_id: UUID, count: int) -> bool:
    """Whether so many steps are older than all that goes on, so that their order is certain."""
    known = await admin.fetchval(
        """
        select count(*) from events where notification_id = $1
            and "transaction" < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        """,
        notification_id,
    )
    return bool(known == count)


async def test_a_lost_listener(
    follow: Follow, workers: Workers, person: str, admin: asyncpg.Connection
) -> None:
    """A gateway whose listening connection is cut goes on, and its streams miss nothing."""
    one = await workers.accept(user_id=person)
    async with follow(FEED, user_id=person) as reader:
        await reader.next()
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'tidings-gateway-events' and datname = current_database()"
        )
        await workers.report([step(one, Status.SENT)])
        assert told(await reader.take(1)) == [("sent", 1)]


async def test_a_reader_that_does_not_keep_up(
    settings: GatewaySettings, workers: Workers, person: str
) -> None:
    """It gets what waited for it and the reason, and then goes on from there without a gap."""
    one = await workers.accept(user_id=person)
    count = BUFFER + 200
    async with (
        open_schema(settings.database_url, "gateway") as database,
        open_feed(store := StepStore(database), settings.database_url, most=1) as feed,
    ):
        with feed.subscribed(lambda found: found.user_id == person and found.attempt == count) as end:
            stream = follow_all(store, feed, lambda found: found.user_id == person, None)
            await anext(stream)
            await workers.report([step(one, Status.RETRYING, attempt) for attempt in range(1, count + 1)])
            await eventually(lambda: passed(end.take(within=0.01)))
            *events, last = [chunk async for chunk in stream]
    assert len(events) == BUFFER
    assert b'"code":"too_slow"' in last


async def passed(steps: object) -> bool:
    return bool(await steps)  # type: ignore[misc]  # whatever can be awaited


@pytest.fixture
async def strict(settings: GatewaySettings) -> AsyncIterator[str]:
    """A gateway where a key may have one stream open."""
    lenient = msgspec.structs.replace(settings, limit_event_streams=1)
    async with open_app(lenient) as app, serving(app, free_port()) as url:
        yield url


async def test_streams_of_a_key_are_limited(strict: str, admin: asyncpg.Connection) -> None:
    """One stream too many is refused, others' keys are not concerned, and a closed one makes room."""
    key = await add_key(admin, "notifications:read")
    open_stream, open_other = reader_of(strict, key), reader_of(strict, API_KEY)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=strict, headers=headers, timeout=PATIENCE) as http:
        async with open_stream(FEED) as reader, open_other(FEED) as other:
            await asyncio.gather(reader.next(), other.next())
            refused = await http.get(FEED)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            assert int(refused.headers["retry-after"]) > 0

        async def opens() -> bool:
            async with http.stream("GET", FEED) as answer:
                return answer.is_success

        await eventually(opens)


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ({"status": "lost"}, {}, 422, "invalid_request"),
        ({"user_id": "\0"}, {}, 422, "invalid_request"),
        ({}, {"Last-Event-ID": "57q"}, 400, "bad_last_event_id"),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    gateway: httpx.AsyncClient, query: dict[str, str], headers: dict[str, str], status: int, code: str
) -> None:
    """Words we do not know, and an id of another stream, are named."""
    answer = await gateway.get(FEED, params=query, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_streams_need_their_scope(strict: str, admin: asyncpg.Connection) -> None:
    """A key that may not read notifications may not follow them."""
    key = await add_key(admin, "notifications:write")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=strict, headers=headers, timeout=PATIENCE) as http:
        answer = await http.get(FEED)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_a_gateway_that_stops(settings: GatewaySettings) -> None:
    """Streams hear of it and end, and so does the process."""
    settings = msgspec.structs.replace(settings, port=free_port())
    async with service_process("gateway", settings) as process:
        async with reader_of(f"http://127.0.0.1:{settings.port}")(FEED) as reader:
            await reader.next()
            ending = asyncio.create_task(process.end())
            (event,) = [event for event in await reader.rest() if event.kind == "end"]
            assert event.data["code"] == "shutdown"
        assert await ending == 0

"""Importing people: two formats, a report on every line, batches that are stored whole or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import httpx
import msgspec
import pytest

from support.ports import free_port
from support.postgres import PostgresNode
from support.servers import PATIENCE, SERVICE_SECRET, create_database, provision
from support.serving import serving
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

AddUser = Callable[..., Awaitable[str]]
Event = dict[str, Any]

NDJSON = "application/x-ndjson"
CSV = "text/csv"


async def send(users: httpx.AsyncClient, body: bytes | str, media_type: str = NDJSON) -> list[Event]:
    answer = await users.post("/users/import", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    return events_of(answer.content)


def events_of(content: bytes) -> list[Event]:
    return [msgspec.json.decode(line) for line in content.splitlines()]


def errors(events: list[Event]) -> list[tuple[int, str]]:
    return [(event["error"]["line"], event["error"]["field"]) for event in events if "error" in event]


def lines(*people: dict[str, Any]) -> bytes:
    return b"\n".join(msgspec.json.encode(person) for person in people)


async def find(users: httpx.AsyncClient, external_id: str) -> dict[str, Any]:
    (found,) = (await users.get("/users", params={"external_id": external_id})).json()["users"]
    assert isinstance(found, dict)
    return found


async def test_people_are_added_and_updated(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A known external id is updated: what its line leaves out stays, attributes come on top."""
    user_id = await add_user(external_id="i-1", name="Ada", attributes={"plan": "free", "seats": 1})
    events = await send(
        users,
        lines(
            {"external_id": "i-1", "email": "ada@EXAMPLE.org", "name": None, "attributes": {"plan": "gold"}},
            {"external_id": "i-2", "name": "Grace", "locale": "en-us"},
            {"name": "No id"},
        ),
    )
    ada, grace = await find(users, "i-1"), await find(users, "i-2")

    assert events == [
        {"progress": {"lines": 3, "created": 2, "updated": 1, "failed": 0}},
        {"summary": {"lines": 3, "created": 2, "updated": 1, "failed": 0}},
    ]
    assert (ada["id"], ada["name"], ada["email"]) == (user_id, "Ada", "ada@example.org")
    assert ada["attributes"] == {"plan": "gold", "seats": 1}
    assert (grace["name"], grace["locale"]) == ("Grace", "en-US")


async def test_a_line_at_fault_is_reported_and_the_others_stored(users: httpx.AsyncClient) -> None:
    """Each fault has its line, counted from 1 with empty lines, its field, and words."""
    body = b"\n".join(
        [
            b'{"external_id": "f-1"}',
            b"",
            b'{"external_id": "f-2", "email": "ada", "time_zone": "Mars/Olympus"}',
            b'{"external_id": 3}',
            b"{broken",
            b'{"external_id": "f-5", "surname": "L"}',
            b'{"external_id": "f-6", "name": "nul\\u0000"}',
            b'{"name": "\xff"}',
            b'["f-8"]',
            b'{"external_id": "f-9"}\r',
        ]
    )
    events = await send(users, body)
    assert errors(events) == [
        (3, "$.email"),
        (3, "$.time_zone"),
        (4, "$.external_id"),
        (5, "$"),
        (6, "$"),
        (7, "$.name"),
        (8, "$"),
        (9, "$"),
    ]
    assert all(event["error"]["message"] for event in events if "error" in event)
    assert events[-1] == {"summary": {"lines": 9, "created": 2, "updated": 0, "failed": 7}}
    assert (await find(users, "f-9"))["external_id"] == "f-9"


async def test_csv_is_read_as_spreadsheets_write_it(users: httpx.AsyncClient) -> None:
    """A byte order mark, CRLF, quoted cells with commas, quotes and line breaks; empty cells are left out."""
    body = (
        "\ufeffexternal_id,name,email,attributes.plan,attributes.note\r\n"
        'c-1,"Lovelace, ""Ada""",ada@example.com,gold,"two\r\nlines"\r\n'
        "c-2,,,,\r\n"
        "\r\n"
        "c-3,only,three\r\n"
        "c-4,,no address,,\r\n"
        "c-5,Grace,,,\r\n"
    )
    events = await send(users, body, "text/csv; charset=utf-8")
    first, second = await find(users, "c-1"), await find(users, "c-2")

    assert errors(events) == [(6, "$"), (7, "$.email")]
    assert events[-1]["summary"] == {"lines": 5, "created": 3, "updated": 0, "failed": 2}
    assert (first["name"], first["email"]) == ('Lovelace, "Ada"', "ada@example.com")
    assert first["attributes"] == {"plan": "gold", "note": "two\r\nlines"}
    assert (second["name"], second["email"], second["attributes"]) == (None, None, {})


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("external_id,surname", "surname"),
        ("name,name", "twice"),
        ("name,attributes.", "attributes."),
        ('name,"x"y', "header"),
        ("name,\xff", "header"),
    ],
)
async def test_a_header_that_is_not_ours_stops_the_import(
    users: httpx.AsyncClient, header: str, words: str
) -> None:
    """A misspelt column would be lost for every line, so nothing is stored."""
    events = await send(users, header.encode("latin-1") + b"\nx,y\n", CSV)
    assert errors(events) == [(1, "$")]
    assert words in events[0]["error"]["message"]
    assert events[-1] == {"summary": {"lines": 0, "created": 0, "updated": 0, "failed": 0}}


async def test_nothing_is_an_import_of_nobody(users: httpx.AsyncClient) -> None:
    """An empty upload is no error."""
    for media_type in (NDJSON, CSV):
        assert (await send(users, b"", media_type))[-1]["summary"]["lines"] == 0


async def test_another_format_is_refused(users: httpx.AsyncClient) -> None:
    """The answer says which formats there are."""
    answer = await users.post("/users/import", content=b"x", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert NDJSON in answer.json()["detail"]


async def test_a_line_without_end_stops_the_import(users: httpx.AsyncClient) -> None:
    """What was read before is stored; the last error says from where on nothing was."""
    events = await send(users, b'{"external_id": "long-1"}\n{"name": "' + b"x" * 5_000_000)
    assert errors(events) == [(2, "$")]
    assert "64 KiB" in events[-2]["error"]["message"]
    assert events[-1]["summary"]["created"] == 1


async def test_a_person_on_two_lines_is_one_person(users: httpx.AsyncClient) -> None:
    """Later lines change earlier ones, in the same batch as in another."""
    people = [
        {"external_id": f"twice-{number % 300}", "name": f"{number}"}
        | ({"locale": "en"} if number < 300 else {})
        for number in range(900)
    ]
    events = await send(users, lines(*people))
    assert [event["progress"]["lines"] for event in events if "progress" in event] == [500, 900]
    assert events[-1]["summary"] == {"lines": 900, "created": 300, "updated": 600, "failed": 0}
    last = await find(users, "twice-299")
    assert (last["name"], last["locale"]) == ("899", "en")


async def test_imports_of_the_same_people_at_once_all_end(users: httpx.AsyncClient) -> None:
    """Two systems that import one list, each in its own order, do not lock each other out."""
    people = [{"external_id": f"crowd-{number}"} for number in range(500)]
    orders = (people, people[::-1], people[250:] + people[:250])
    results = await asyncio.gather(*(send(users, lines(*order)) for order in orders))
    assert sum(events[-1]["summary"]["created"] for events in results) == 500
    assert sum(events[-1]["summary"]["updated"] for events in results) == 1_000


async def test_what_is_too_much_is_refused_and_the_rest_stored(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> None:
    """100,000 lines are read, each of these at fault; a client that sends all before it reads gets it all."""
    async with open_app(users_settings) as app, serving(app, free_port()) as url:
        headers = {"Authorization": f"Bearer {service_token('users')}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as users:
            events = await send(users, b"1\n" * 150_000)
    assert [line for line, _ in errors(events)] == list(range(1, 100_002))
    assert "at most 100,000 rows" in events[-2]["error"]["message"]
    assert events[-1]["summary"] == {"lines": 100_000, "created": 0, "updated": 0, "failed": 100_000}


async def test_the_answer_begins_while_the_upload_runs(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> None:
    """The first batch is stored and told before the last line is sent."""
    async with open_app(users_settings) as app, serving(app, free_port()) as url:
        first, *rest = [event async for event in two_part_import(url, service_token("users"))]
    assert first == {"progress": {"lines": 500, "created": 500, "updated": 0, "failed": 0}}
    assert rest[-1] == {"summary": {"lines": 1_001, "created": 1_001, "updated": 0, "failed": 0}}


async def test_a_database_that_goes_away_is_told_with_the_line(
    postgres: PostgresNode, valkey_url: str, service_token: Callable[..., str]
) -> None:
    """Batches before are stored and told; the error names the first line that is not."""
    database_url = await provision(await create_database(postgres.admin_dsn), "users")
    settings = UsersSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        database_url=database_url,
        cache_url=valkey_url,
        database_seconds=PATIENCE,
    )
    async with open_app(settings) as app, serving(app, free_port()) as url:
        events = [event async for event in two_part_import(url, service_token("users"), postgres.kill)]
    assert [list(event) for event in events] == [["progress"], ["error"], ["summary"]]
    assert errors(events) == [(501, "$")]
    assert "not imported" in events[1]["error"]["message"]
    assert events[-1]["summary"] == {"lines": 500, "created": 500, "updated": 0, "failed": 0}


@pytest.fixture
def postgres() -> Iterator[PostgresNode]:
    """A PostgreSQL server that this test may kill."""
    node = PostgresNode()
    node.start()
    yield node
    node.remove()


async def two_part_import(
    url: str, token: str, between: Callable[[], None] = lambda: None
) -> AsyncIterator[Event]:
    """The events of an import that sends 501 lines, and 500 more once a first event was answered."""
    answered = asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b"{}\n" * 501
        await answered.wait()
        yield b"{}\n" * 500

    headers = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON}
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}/users/import", data=upload()) as answer,
    ):
        async for line in answer.content:
            if not answered.is_set():
                between()
                answered.set()
            yield msgspec.json.decode(line)

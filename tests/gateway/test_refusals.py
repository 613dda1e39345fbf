"""What the gateway refuses: always a problem document with a stable code, never a 500."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody
from support.world import World
from tidings.kit.ids import now

PASSED = "2026-01-31T12:00:00Z"
WITHOUT_OFFSET = "2999-01-31T12:00:00"


def assert_problem(answer: httpx.Response, status: int, code: str, *fields: str) -> None:
    """The answer is a problem with this code that names these fields."""
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert problem["detail"]
    assert sorted(fault["field"] for fault in problem.get("errors", [])) == sorted(fields)


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.fixture
async def untouched(admin: asyncpg.Connection) -> AsyncIterator[None]:
    """No request was accepted during the test, whatever schedules and replays add, or retention deletes."""
    began = now()
    yield
    rows = await admin.fetch(
        "select schedule_id, replay_of from notifications where accepted_at >= $1", began
    )
    assert [row for row in rows if not (row["schedule_id"] or row["replay_of"])] == []


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.mark.parametrize(
    ("changed", "code", "fields"),
    [
        ({"channel": "sms"}, "invalid_request", ["$.channel"]),
        ({"channel": None}, "invalid_request", ["$.channel"]),
        ({"chanel": "email"}, "invalid_request", ["$.chanel"]),
        ({"user_id": 7}, "invalid_request", ["$.user_id"]),
        ({"user_id": ""}, "invalid_request", ["$.user_id"]),
        ({"variables": ["Ada"]}, "invalid_request", ["$.variables"]),
        ({"metadata": {"order": 7}}, "invalid_request", ["$.metadata[...]"]),
        ({"priority": "urgent"}, "invalid_request", ["$.priority"]),
        ({"locale": "no locale"}, "invalid_request", ["$.locale"]),
        ({"request_id": ""}, "invalid_request", ["$.request_id"]),
        ({"request_id": "r" * 256}, "invalid_request", ["$.request_id"]),
        ({"request_id": None}, "missing_request_id", ["$.request_id"]),
        ({"user_id": "0198c0de-0000-7000-8000-000000000000"}, "unknown_user", ["$.user_id"]),
        ({"user_id": "not an id"}, "unknown_user", ["$.user_id"]),
        ({"user_id": "nul\0"}, "invalid_request", []),
        ({"template_id": "no-such-template"}, "unknown_template", ["$.template_id"]),
        ({"template_id": "../users"}, "invalid_request", ["$.template_id"]),
        ({"template_id": "a?b#c%00"}, "invalid_request", ["$.template_id"]),
        ({"variables": {}}, "missing_variable", ["$.variables.name"]),
        (
            {"channel": "push", "variables": {}},
            "missing_variable",
            ["$.variables.link", "$.variables.name"],
        ),
        ({"expires_at": PASSED}, "already_expired", ["$.expires_at"]),
        ({"expires_at": WITHOUT_OFFSET}, "naive_time", ["$.expires_at"]),
        ({"expires_at": "tomorrow"}, "invalid_request", ["$.expires_at"]),
        ({"variables": {"name": "nul\0"}}, "invalid_request", []),
        ({"metadata": {"nul\0": ""}}, "invalid_request", []),
        ({"request_id": "nul\0"}, "invalid_request", []),
        ({"request_id": "nul\0", "user_id": "not an id"}, "invalid_request", []),
    ],
    ids=str,
)
async def test_what_could_never_be_delivered(
    gateway: httpx.AsyncClient, new_body: NewBody, changed: dict[str, Any], code: str, fields: list[str]
) -> None:
    """A request that can be read and asks for something impossible is a 422 that names the field."""
    answer = await gateway.post("/v1/notifications", json=new_body(**changed))
    assert_problem(answer, 422, code, *fields)


async def test_a_template_without_the_channel(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A template that has no form for the channel is refused at once."""
    template_id = await world.add_template("email-only", {"email": {"subject": "Hi", "text": "Hi"}})
    answer = await gateway.post("/v1/notifications", json=new_body(template_id=template_id, channel="push"))
    assert_problem(answer, 422, "template_lacks_channel", "$.channel")


@pytest.mark.parametrize(
    ("content", "status", "code", "fields"),
    [
        (b"{", 400, "malformed_request", []),
        (b"[]", 422, "invalid_request", ["$"]),
        (b"", 422, "invalid_request", ["$"]),
        (b"null", 422, "invalid_request", ["$"]),
        (b'{"channel": "\xff\xfe"}', 400, "malformed_request", []),
        (b'{"variables": {"n": 1e999}}', 400, "malformed_request", []),
        (b'{"variables": {"n": NaN}}', 400, "malformed_request", []),
        (b'{"variables": {"n": "\\ud800"}}', 400, "malformed_request", []),
        (b'{"variables":' + deep(100_000) + b"}", 400, "malformed_request", []),
        (b'{"a": "' + b"a" * 17 * 1024 * 1024 + b'"}', 413, "body_too_large", []),
        (
            b'{"channel": "email", "user_id": "a", "template_id": "a", "request_id": "a",'
            b'"variables": {"a": "' + b"a" * 3 * 1024 * 1024 + b'"}}',
            413,
            "body_too_large",
            [],
        ),
    ],
    ids=[
        "cut off",
        "a list",
        "empty",
        "null",
        "not UTF-8",
        "infinite",
        "NaN",
        "half a pair",
        "deep",
        "17 MiB",
        "3 MiB of variables",
    ],
)
async def test_what_cannot_be_read(
    gateway: httpx.AsyncClient, content: bytes, status: int, code: str, fields: list[str]
) -> None:
    """A body that is no JSON object, or too large, is refused before anything looks at it."""
    headers = {"Content-Type": "application/json"}
    answer = await gateway.post("/v1/notifications", content=content, headers=headers)
    assert_problem(answer, status, code, *fields)


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/v1/notifications", {"channel": "sms"}, "'sms' is not one of `email`, `push`"),
        ("GET", "/v1/notifications?channel=sms", None, "'sms' is not one of `email`, `push`"),
        ("GET", "/v1/audit-log?service=email", None, "'email' is not one of `gateway`, `templates`, `users`"),
        ("GET", "/v1/dead-letters?channel=sms", None, "'sms' is not one of `email`, `push`"),
        ("GET", "/v1/schedules?status=on", None, "'on' is not one of `active`, `paused`, `ended`"),
    ],
)
async def test_a_misspelt_word(
    gateway: httpx.AsyncClient, method: str, path: str, body: object, words: str
) -> None:
    """Where there are only a few words to choose from, the refusal names them, also for parameters."""
    answer = await gateway.request(method, path, json=body)
    assert [fault["message"] for fault in answer.json()["errors"]] == [words]


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_credential"),
        ("Basic dXNlcjpwYXNz", "missing_credential"),
        ("Bearer ", "missing_credential"),
        ("Bearer tdg_live_" + "x" * 32, "unknown_api_key"),
        ("Bearer tdg_live_\u00fc", "unknown_api_key"),
        ("Bearer something else", "unauthenticated"),
    ],
)
async def test_who_does_not_show_a_key_is_refused(
    gateway: httpx.AsyncClient, new_body: NewBody, authorization: str | None, code: str
) -> None:
    """No key, or one that is not known, is a 401 that says how to show one."""
    headers = {b"Authorization": (authorization or "").encode("latin-1")}
    request = gateway.build_request("POST", "/v1/notifications", json=new_body(), headers=headers)
    if authorization is None:
        del request.headers["Authorization"]
    answer = await gateway.send(request)
    assert_problem(answer, 401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "no_such_path"),
        ("DELETE", "/v1/notifications", 405, "method_not_allowed"),
        ("GET", "/v1/notifications/%00", 404, "unknown_notification"),
    ],
)
async def test_what_is_not_there(
    gateway: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """An unknown path, or a method that the path does not have, is a problem too."""
    assert_problem(await gateway.request(method, path), status, code)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"request_id": "nul\0"}, 422, "invalid_request"),
        ({"cursor": "7"}, 400, "bad_cursor"),
        ({"cursor": ""}, 400, "bad_cursor"),
    ],
)
async def test_a_search_that_cannot_be(
    gateway: httpx.AsyncClient, params: dict[str, str], status: int, code: str
) -> None:
    """What no notification can have is refused, and so is a cursor that no page gave."""
    answer = await gateway.get("/v1/notifications", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("key", ["k" * 258, "nul\\u0000", "\u00fc"])
async def test_an_odd_idempotency_key(gateway: httpx.AsyncClient, new_body: NewBody, key: str) -> None:
    """A key that is too long is refused; an odd one never ends in a 500."""
    headers = {b"Idempotency-Key": key.encode()}
    answer = await gateway.post("/v1/notifications", json=new_body(user_id=str(uuid4())), headers=headers)
    assert answer.status_code == 422

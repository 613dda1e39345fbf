"""Whatever goes wrong in a request, the answer is a problem with a stable code."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from kit.conftest import MAX_BODY_BYTES

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"name": 7}', 422, "invalid_request"),
        (b'{"name": "a", "nmae": "b"}', 422, "invalid_request"),
        (b"{", 400, "malformed_request"),
        (b'{"name": "a"} trailing', 400, "malformed_request"),
        (b'{"name": "\xff\xfe"}', 400, "malformed_request"),
        (b'{"name": "\\ud800"}', 400, "malformed_request"),
        (b'{"name": "a", "size": 1e999}', 400, "malformed_request"),
        (b'{"name": "a", "extra": {"deep": ' + b"[" * 4_000, 400, "malformed_request"),
        (b'{"name": "' + b"a" * MAX_BODY_BYTES + b'"}', 413, "body_too_large"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
async def test_a_bad_body_is_a_problem(
    client: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    """Each kind of bad body has its status and code; none is a 500."""
    answer = await client.post("/things", content=body, headers=JSON)
    assert_problem(answer, status, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no_such_path"),
        ("DELETE", "/things", 405, "method_not_allowed"),
        ("GET", "/numbers/seven", 404, "no_such_path"),
        ("GET", "/numbers/7?times=often", 422, "invalid_request"),
        ("GET", "/refused", 409, "taken"),
        ("GET", "/unavailable", 503, "engine_unavailable"),
        ("GET", "/crash", 500, "internal_error"),
    ],
)
async def test_a_request_that_fails_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Paths, methods, parameters, refusals and crashes answer in the one form that bodies do."""
    assert_problem(await client.request(method, path), status, code)


async def test_a_body_larger_than_the_limit_is_refused_while_it_streams(client: httpx.AsyncClient) -> None:
    """A body that does not announce its length is cut off at the limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000

    answer = await client.post("/things", content=chunks(), headers=JSON)
    assert_problem(answer, 413, "body_too_large")


async def test_a_fault_names_its_field(client: httpx.AsyncClient) -> None:
    """The field at fault is a JSONPath, and the words for people name it as well."""
    problem = (await client.post("/things", json={"name": "a", "size": "big"})).json()
    assert [fault["field"] for fault in problem["errors"]] == ["$.size"]
    assert "$.size" in problem["detail"]


async def test_an_unforeseen_error_keeps_its_details_to_itself(client: httpx.AsyncClient) -> None:
    """A crash answers where to look in the log, and nothing of what happened inside."""
    answer = await client.get("/crash")
    assert "only we should read" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "correlation id" in answer.json()["detail"]


async def test_an_error_brings_its_faults_and_headers(client: httpx.AsyncClient) -> None:
    """What the raiser said about fields and about when to come back reaches the caller."""
    assert (await client.get("/refused")).json()["errors"] == [{"field": "$.name", "message": "Taken"}]
    assert (await client.get("/unavailable")).headers["retry-after"] == "7"


async def test_the_callers_correlation_id_is_echoed(client: httpx.AsyncClient) -> None:
    """An id that the caller sends comes back in the header and in a problem's body."""
    answer = await client.get("/crash", headers={"X-Correlation-ID": "order-17:retry/2"})
    assert answer.headers["x-correlation-id"] == "order-17:retry/2"
    assert answer.json()["correlation_id"] == "order-17:retry/2"


@pytest.mark.parametrize(
    "hostile",
    ["", "a b", "a" * 129, '"}', "<script>", "a\tb", "né", "a;b", "id\x00"],
)
async def test_a_hostile_correlation_id_is_replaced(client: httpx.AsyncClient, hostile: str) -> None:
    """What could break a log line or a header is not carried on; the request gets an id of its own."""
    answer = await client.get("/trace", headers={b"X-Correlation-ID": hostile.encode()})
    assert len(answer.headers["x-correlation-id"]) == 32
    assert answer.json()["x-correlation-id"] == answer.headers["x-correlation-id"]


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = json.loads(answer.content)
    assert problem.items() >= {"status": status, "code": code, "instance": answer.request.url.path}.items()
    assert problem["title"]
    assert problem["detail"]
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]

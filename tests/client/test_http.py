"""Calls from service to service: what is repeated, what is given up, what is told."""

import asyncio
from functools import partial
from time import monotonic

import aiohttp
import pytest
from structlog.contextvars import bound_contextvars

from client.remote import Remote, Reply, problem
from support.polling import eventually
from support.ports import free_port
from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
DOWN = problem(503, "database_unavailable")


async def test_a_call_carries_its_credential_and_its_ids(http: ServiceHttp, remote: Remote) -> None:
    """The bearer token, the correlation id and the trace go along; the span id is new."""
    traceparent = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
    with bound_contextvars(correlation_id="order-17", traceparent=traceparent):
        await http.call("POST", "/things", body={"name": "a"}, params={"q": "a&b"}, headers={"X-More": "1"})
    (asked,) = remote.asked
    assert (asked.method, asked.path, asked.query, asked.body) == (
        "POST",
        "/things",
        {"q": "a&b"},
        {"name": "a"},
    )
    assert asked.headers["authorization"] == "Bearer a-token"
    assert asked.headers["x-correlation-id"] == "order-17"
    assert asked.headers["x-more"] == "1"
    assert asked.headers["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert asked.headers["traceparent"] != traceparent


async def test_a_large_body_arrives(http: ServiceHttp, remote: Remote) -> None:
    """Some mebibytes go out like any other body."""
    await http.call("POST", "/things", body={"name": "a" * 2 * 1024 * 1024})
    (asked,) = remote.asked
    assert len(asked.body["name"]) == 2 * 1024 * 1024


async def test_a_read_is_repeated_until_it_is_answered(http: ServiceHttp, remote: Remote) -> None:
    """Reading changes nothing, so it is tried three times."""
    remote.replies(DOWN, DOWN, Reply({"a": 1}))
    assert await http.read(dict[str, int], "/things") == {"a": 1}
    assert len(remote.asked) == 3


async def test_a_read_is_given_up_after_three_tries(http: ServiceHttp, remote: Remote) -> None:
    """The caller hears what the service said last."""
    remote.replies(DOWN)
    with pytest.raises(RemoteUnavailable, match="answered 503: It is database_unavailable"):
        await http.read(dict[str, int], "/things")
    assert len(remote.asked) == 3


async def test_a_call_is_not_repeated_unless_told_so(http: ServiceHttp, remote: Remote) -> None:
    """A call that may have had its effect is made once."""
    remote.replies(DOWN, Reply())
    with pytest.raises(RemoteUnavailable):
        await http.call("POST", "/things")
    assert len(remote.asked) == 1


async def test_a_write_under_a_key_is_repeated(http: ServiceHttp, remote: Remote) -> None:
    """Under one idempotency key a write is tried three times, also while an attempt before it still runs."""
    remote.replies(DOWN, problem(409, "idempotency_in_progress"), Reply({"a": 1}))
    assert (await http.once("POST", "/things")).read(dict[str, int]) == {"a": 1}
    keys = [asked.headers["idempotency-key"] for asked in remote.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    remote.replies(Reply())
    await http.once("POST", "/things")
    assert remote.asked[-1].headers["idempotency-key"] not in keys


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_service_that_cannot_now_is_unavailable(
    http: ServiceHttp, remote: Remote, status: int
) -> None:
    """Overload and server errors may pass, so a later try may succeed."""
    remote.replies(Reply(b"<html>Bad gateway</html>", status))
    with pytest.raises(RemoteUnavailable, match=f"answered {status}: <html>Bad gateway"):
        await http.call("GET", "/things")


async def test_a_refusal_brings_its_problem(http: ServiceHttp, remote: Remote) -> None:
    """What the service refuses is not asked again; its code, words and faults reach the caller."""
    remote.replies(problem(422, "invalid_request"))
    with pytest.raises(RemoteProblem, match=r"It is invalid_request \(invalid_request, HTTP 422\)") as caught:
        await http.call("POST", "/things", attempts=3)
    assert caught.value.problem.code == "invalid_request"
    assert caught.value.problem.errors[0].field == "$.name"
    assert len(remote.asked) == 1


async def test_a_refusal_without_a_problem_still_says_something(http: ServiceHttp, remote: Remote) -> None:
    """An error page of some proxy is told by its status and its first words."""
    remote.replies(Reply(b"Forbidden by policy \xff", 403))
    with pytest.raises(RemoteProblem) as caught:
        await http.call("GET", "/things")
    assert (caught.value.problem.status, caught.value.problem.code) == (403, "unknown")
    assert caught.value.problem.detail.startswith("Forbidden by policy")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>Please log in</html>"),
        Reply(["no", "object"]),
        Reply({"a": "no number"}),
        Reply(b'{"\xff": 1}'),
        Reply(b"", 302, headers={"Location": "/elsewhere"}),
    ],
)
async def test_an_answer_that_is_no_answer_is_unavailable(
    http: ServiceHttp, remote: Remote, reply: Reply
) -> None:
    """Something else that answers in the service's place is not taken for it, and not followed."""
    remote.replies(reply)
    with pytest.raises(RemoteUnavailable):
        await http.read(dict[str, int], "/things")
    assert {asked.path for asked in remote.asked} == {"/things"}


async def test_a_service_that_takes_too_long_is_unavailable(
    session: aiohttp.ClientSession, remote: Remote
) -> None:
    """The time limit holds for the whole call."""
    remote.replies(Reply(seconds=60))
    http = ServiceHttp(session, remote.url, lambda: "", seconds=0.3)
    async with asyncio.timeout(30):
        with pytest.raises(RemoteUnavailable, match=r"does not answer: \w*TimeoutError"):
            await http.call("GET", "/things")


async def test_a_service_that_hangs_up_is_unavailable(session: aiohttp.ClientSession) -> None:
    """A connection that ends in the middle of an answer is as good as none."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RemoteUnavailable):
            await ServiceHttp(session, f"http://127.0.0.1:{port}", lambda: "").call("GET", "/")


async def test_a_service_that_is_not_there_is_unavailable(session: aiohttp.ClientSession) -> None:
    """The address that nobody listens on is named."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RemoteUnavailable, match=url):
        await ServiceHttp(session, url, lambda: "").call("GET", "/")


async def fail(http: ServiceHttp, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RemoteUnavailable):
            await http.call("GET", "/things")


def asked_times(remote: Remote, times: int) -> bool:
    return len(remote.asked) == times


async def test_a_dead_service_is_left_alone(http: ServiceHttp, remote: Remote) -> None:
    """After five failures in a row calls fail at once, without a request and without being repeated."""
    remote.replies(DOWN)
    await fail(http, 5)
    with pytest.raises(RemoteUnavailable, match="given a rest"):
        await http.call("GET", "/things", attempts=5)
    assert len(remote.asked) == 5


async def test_one_probe_finds_out_whether_it_is_back(restless_http: ServiceHttp, remote: Remote) -> None:
    """After the rest one call goes through while the others still fail; when it succeeds, all do."""
    remote.replies(DOWN)
    await fail(restless_http, 5)
    remote.replies(Reply(seconds=0.1), Reply())

    async def probed() -> bool:
        calls = [restless_http.call("GET", "/things") for _ in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        return not all(isinstance(result, RemoteUnavailable) for result in results)

    await eventually(probed)
    assert len(remote.asked) == 6
    await asyncio.gather(*(restless_http.call("GET", "/things") for _ in range(10)))


async def test_a_probe_that_fails_means_another_rest(restless_http: ServiceHttp, remote: Remote) -> None:
    """A service that stays dead costs one request per rest."""
    remote.replies(DOWN)
    started = monotonic()
    await fail(restless_http, 5)

    async def probed_twice() -> bool:
        await fail(restless_http, 1)
        return len(remote.asked) == 7

    await eventually(probed_twice)
    assert monotonic() - started >= 2 * 0.3


async def test_refusals_and_successes_keep_the_breaker_closed(http: ServiceHttp, remote: Remote) -> None:
    """A service that refuses works; and failures count only when nothing between them succeeded."""
    remote.replies(DOWN, DOWN, DOWN, DOWN, problem(404, "unknown_user"), DOWN, DOWN, DOWN, DOWN, Reply())
    await fail(http, 4)
    with pytest.raises(RemoteProblem):
        await http.call("GET", "/things")
    await fail(http, 4)
    assert (await http.call("GET", "/things")).status == 200


async def test_a_caller_that_goes_away_says_nothing_about_the_service(
    http: ServiceHttp, remote: Remote
) -> None:
    """Cancelled calls, however many, do not open the breaker."""
    remote.replies(Reply(seconds=60))
    for number in range(1, 7):
        call = asyncio.create_task(http.call("GET", "/things"))
        await eventually(partial(asked_times, remote, number))
        call.cancel()
        await asyncio.wait([call])
    remote.replies(Reply())
    assert (await http.call("GET", "/things")).status == 200

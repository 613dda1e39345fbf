"""Answers that no provider's documents foresee: nothing raises, and nothing is made a success of."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.answering import answering, http
from support.email_providers import HTTP_KINDS, KEY, config_of, sending
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "message",
    "Message",
    "name",
    "errors",
    "ErrorCode",
    "MessageID",
    "MessageId",
    "id",
    "__type",
    "field",
)
# 204 and 304 have no body (RFC 9110, section 6.4.1): with one, they are no HTTP.
STATUSES = st.integers(200, 599).filter(lambda status: status not in {204, 304})
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=4).map(json.dumps)


@pytest.mark.parametrize("kind", HTTP_KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.binary(max_size=300))
@example(answer=b"")
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}")
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: \xff\x00=;\r\n\r\n{}")
@example(answer=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
async def test_bytes_that_are_no_answer(kind: str, answer: bytes) -> None:
    """Whatever comes back once the request is out, the email may have been taken: ambiguous."""
    async with answering(answer) as server, sending(config_of(kind, url=server.url)) as desk:
        refused = await desk.refused()
    assert refused.owner is ErrorOwner.AMBIGUOUS
    assert desk.claims == 1


@pytest.mark.parametrize("kind", HTTP_KINDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=STATUSES, body=BODIES | st.text(max_size=50))
@example(status=400, body='{"message": "' + "x" * 600 + KEY + '\\u0000"}')
@example(status=500, body="[" * 5_000)
@example(status=422, body='{"ErrorCode": true, "Message": ["Invalid"]}')
@example(status=400, body='{"errors": [null, {"field": 7, "message": {}}]}')
async def test_answers_of_odd_shapes(kind: str, status: int, body: str) -> None:
    """An answer of any status and shape is taken only if its status says so, and never raises."""
    async with answering(http(status, body)) as server, sending(config_of(kind, url=server.url)) as desk:
        answer = await desk.send()
    if isinstance(answer, Taken):
        assert status in {200, 202}
    else:
        assert len(answer.detail) <= 500
        assert KEY not in answer.detail
        assert answer.owner is not ErrorOwner.AMBIGUOUS or status < 300 or status == 504

"""Log lines, and the ids that follow a request from process to process."""

import json
import re
import subprocess
import sys

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars, clear_contextvars

from tidings.kit.telemetry import continue_trace, mask_address, next_span, trace_headers

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
WELL_FORMED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

LOGGING_PROCESS = """
import logging, structlog
from structlog.contextvars import bind_contextvars
from tidings.kit.telemetry import configure_logging

configure_logging("example")
bind_contextvars(correlation_id="order-17")
log = structlog.get_logger("example")
log.debug("unseen")
log.info("sent", to="ada.lovelace@example.com", count=3, kinds={"a"})
logging.getLogger("library").warning("refused %s", "grace@example.org")
try:
    raise ValueError("no mailbox eve@example.net")
except ValueError:
    log.exception("failed")
"""


def log_lines() -> list[dict[str, object]]:
    run = subprocess.run([sys.executable, "-c", LOGGING_PROCESS], capture_output=True, check=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_logs_are_json_lines_without_addresses() -> None:
    """Our loggers and the libraries' write one JSON object a line, with the ids, and no whole address."""
    sent, refused, failed = log_lines()
    assert (sent["event"], sent["level"], sent["service"]) == ("sent", "info", "example")
    assert (sent["to"], sent["count"]) == ("a…@example.com", 3)
    assert (refused["event"], refused["level"]) == ("refused g…@example.org", "warning")
    assert "ValueError: no mailbox e…@example.net" in str(failed["exception"])
    for line in (sent, refused, failed):
        assert line["correlation_id"] == "order-17"
        assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("550 5.1.1 <józef.müller@münchen.example>: no", "550 5.1.1 <j…@münchen.example>: no"),
        ("ada@example.com", "a…@example.com"),
        ("to <ada.l+x@example.com>, eve@b.org", "to <a…@example.com>, e…@b.org"),
        ("no address @ all", "no address @ all"),
    ],
)
def test_addresses_are_shortened(text: str, masked: str) -> None:
    """Of an address the first letter and the domain are left, wherever it stands."""
    assert mask_address(text) == masked


async def test_a_callers_trace_goes_on(client: httpx.AsyncClient) -> None:
    """The trace id and its flags stay, and every hop gets a span id of its own."""
    headers = {"traceparent": TRACEPARENT, "x-correlation-id": "order-17"}
    onward = (await client.get("/trace", headers=headers)).json()
    assert onward["x-correlation-id"] == "order-17"
    assert onward["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert onward["traceparent"].endswith("-01")
    assert onward["traceparent"] != TRACEPARENT


async def test_a_request_without_a_trace_starts_one(client: httpx.AsyncClient) -> None:
    """Two requests without ids get two traces."""
    first, second = [(await client.get("/trace")).json()["traceparent"] for _ in range(2)]
    assert WELL_FORMED.fullmatch(first)
    assert first[3:35] != second[3:35]


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT[:-1],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-00f067aa0ba902b7-01",
    ],
)
def test_a_malformed_trace_is_replaced(malformed: str) -> None:
    """What W3C Trace Context calls invalid starts a new trace."""
    fresh = next_span(malformed)
    assert WELL_FORMED.fullmatch(fresh)
    assert TRACE_ID not in fresh


@given(correlation_id=st.text(), traceparent=st.text())
def test_only_well_formed_ids_are_ever_bound(correlation_id: str, traceparent: str) -> None:
    """Whatever a message's headers hold, what is logged and sent on is well formed."""
    with bound_contextvars():
        bound = continue_trace({"x-correlation-id": correlation_id, "traceparent": traceparent})
        onward = trace_headers()
    assert re.fullmatch(r"[A-Za-z0-9._:@/+=-]{1,128}", bound[0])
    assert WELL_FORMED.fullmatch(bound[1])
    assert onward["x-correlation-id"] == bound[0]
    assert onward["traceparent"][:36] == bound[1][:36]
    clear_contextvars()


def test_a_trailing_line_break_is_no_part_of_an_id() -> None:
    """A message header may hold a line break, which would forge a log line or a header."""
    assert continue_trace({"x-correlation-id": "order-17\n"})[0] != "order-17\n"
    clear_contextvars()


def test_work_without_a_request_sends_no_ids() -> None:
    """Outside of any request there is nothing to carry on."""
    clear_contextvars()
    assert trace_headers() == {}

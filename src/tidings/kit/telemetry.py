"""Logs as JSON lines, and the two ids that follow a request through every process.

`correlation_id` is ours and readable; `traceparent` is W3C Trace Context (level 1): the trace id
stays, every hop gets a span id of its own.
"""

import logging
import re
import secrets
import sys
from collections.abc import Mapping

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, get_contextvars
from structlog.typing import EventDict, WrappedLogger

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
_LOCAL = r"[^\s<>()\[\]\\,;:@\"'=]"  # a local part may be in any script (RFC 6531)
_ADDRESS = re.compile(rf"({_LOCAL}){_LOCAL}*@([\w.-]+)")


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to stdout as JSON lines of `service`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_service(service),
        _mask_addresses,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    renderer = structlog.processors.JSONRenderer(serializer=_dumps)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for twice in ("aio_pika", "aiormq"):  # they log what they also raise
        logging.getLogger(twice).setLevel(logging.CRITICAL)


def trace_headers() -> dict[str, str]:
    """The ids of the work at hand as headers, for HTTP and the broker alike; the span id is new."""
    context = get_contextvars()
    correlation_id, traceparent = context.get("correlation_id"), context.get("traceparent")
    headers = {}
    if correlation_id:
        headers["x-correlation-id"] = str(correlation_id)
    if traceparent:
        headers["traceparent"] = next_span(str(traceparent))
    return headers


def continue_trace(headers: Mapping[str, str]) -> tuple[str, str]:
    """Bind the ids found in `headers`, or new ones, to the log context; returns both."""
    correlation_id = headers.get("x-correlation-id", "")
    if not _CORRELATION_ID.fullmatch(correlation_id):
        correlation_id = secrets.token_hex(16)
    traceparent = next_span(headers.get("traceparent", ""))
    bind_contextvars(correlation_id=correlation_id, traceparent=traceparent)
    return correlation_id, traceparent


def next_span(traceparent: str) -> str:
    """The same trace with a new span id; a new trace when `traceparent` is missing or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent)
    trace_id, flags = match.groups() if match else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def mask_address(text: str) -> str:
    """Shorten every email address in `text` to its first letter and domain: `a…@example.com`."""
    return _ADDRESS.sub(r"\1…@\2", text)


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _mask_addresses(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and "@" in value:
            event[key] = mask_address(value)
    return event


def _dumps(event: EventDict, **_options: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()

"""One POST to an endpoint, and what it answered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple
from uuid import UUID

import tidings
from tidings.contracts.callbacks import CallbackAttempt
from tidings.gateway.callbacks.signing import signed_headers
from tidings.kit.ids import now
from tidings.kit.outbound import Fetched, ForbiddenAddress, Outbound, TooLarge, Unreachable

ANSWER_BYTES = 64 * 1024
KEPT_CHARS = 500


class Posted(NamedTuple):
    """What came of it. `retry_after` is how many seconds the endpoint asked to be left alone."""

    attempt: CallbackAttempt
    taken: bool
    retry_after: float | None = None

    @property
    def gone(self) -> bool:
        """Whether the endpoint said that it wants no more, ever."""
        return self.attempt.status_code == HTTPStatus.GONE


class Courier:
    """Posts signed events, each within `seconds`."""

    def __init__(self, outbound: Outbound, seconds: float) -> None:
        self._outbound = outbound
        self._seconds = seconds

    async def post(self, url: str, event_id: UUID, body: bytes, keys: Sequence[str]) -> Posted:
        """Sign and post. Whatever happens is an answer; nothing is raised."""
        at, started = now(), perf_counter()
        fetched, error = await self._ask(url, body, signed_headers(str(event_id), at, body, keys))
        milliseconds = round((perf_counter() - started) * 1000)
        if fetched is None:
            attempt = CallbackAttempt(at=at, milliseconds=milliseconds, error=error)
            return Posted(attempt, taken=error is None)
        attempt = CallbackAttempt(
            at=at,
            milliseconds=milliseconds,
            status_code=fetched.status,
            answer=fetched.body[: 4 * KEPT_CHARS].decode(errors="replace").replace("\0", "")[:KEPT_CHARS],
            error=_refusal(fetched.status),
        )
        return Posted(attempt, attempt.error is None, _retry_after(fetched, at))

    async def _ask(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[Fetched | None, str | None]:
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": f"Tidings/{tidings.__version__}",
        }
        try:
            answer = await self._outbound.request(
                "POST", url, limit_bytes=ANSWER_BYTES, seconds=self._seconds, headers=headers, body=body
            )
        except TooLarge:
            # Of an error the body is cut short instead, so the endpoint has taken it.
            return None, None
        except (ForbiddenAddress, Unreachable) as error:
            return None, str(error)
        return answer, None


def _refusal(status: int) -> str | None:
    """Why an answer is a failure; None when it is none."""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return "It redirects, which is not followed: change the endpoint's url"
    return f"It answered {status}"


def _retry_after(fetched: Fetched, at: datetime) -> float | None:
    """Seconds, from either form of the header (RFC 9110, section 10.2.3)."""
    text = next((value for name, value in fetched.headers.items() if name.lower() == "retry-after"), "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - at.timestamp()

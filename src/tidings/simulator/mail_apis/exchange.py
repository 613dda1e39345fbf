"""What the five APIs have in common: faults, the inbox, and word to whoever wants to know of an email."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from tidings.kit.ids import now
from tidings.simulator.emails import MailProvider, StoredEmail
from tidings.simulator.faults import Faults, MailApiFault
from tidings.simulator.http import answer_slowly, hang_up
from tidings.simulator.journal import Journal

API_KEY = "simulator-key"
"""The one key (or server token) that all but SES take."""

F = TypeVar("F", bound=MailApiFault)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes out."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    def response(self) -> Response[bytes]:
        """For the web framework."""
        return Response(
            self.body, status_code=self.status, headers=dict(self.headers), media_type=self.media_type
        )

    def broken(self) -> "Reply":
        """The same status with JSON that ends too early, and without the headers that name the email."""
        return Reply(self.status, b'{"', {}, self.media_type)

    def raw(self) -> bytes:
        """The answer as HTTP/1.1."""
        headers = {
            "content-type": self.media_type,
            "content-length": str(len(self.body)),
            "connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class ApiError(Exception):
    """A refusal, with the body that the provider would write."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body!r}")
        self.reply = reply


def json_reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in JSON."""
    return Reply(status, msgspec.json.encode(body), headers or {})


def render_api_error(_request: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
    """The refusal as the provider writes it."""
    return error.reply.response()


def phrase(status: int) -> str:
    """The standard words for a status, for one that has none too."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def rate_headers(retry_after: int | None, *, prefix: str) -> dict[str, str]:
    """Retry-After, and the three headers with the provider's prefix; the reset is a Unix time."""
    if retry_after is None:
        return {}
    reset = int(now().timestamp()) + retry_after
    return {
        "Retry-After": str(retry_after),
        f"{prefix}Limit": "600",
        f"{prefix}Remaining": "0",
        f"{prefix}Reset": str(reset),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An email that an API is about to take: what becomes of it in the inbox.

    `custom` is the data that the provider hands back in its events; `tags` are its labels.
    """

    return_path: str
    recipients: tuple[str, ...]
    raw: bytes
    reference: str
    custom: Mapping[str, str]
    tags: tuple[str, ...] = ()


class MailDesk:
    """Takes emails for every API. `announce` hears of each one that was taken, with its id."""

    def __init__(
        self, emails: Journal[StoredEmail], faults: Faults, announce: Callable[[StoredEmail], None]
    ) -> None:
        self._emails = emails
        self._faults = faults
        self._announce = announce

    async def serve(
        self,
        request: Request[Any, Any, Any],
        kind: type[F],
        recipients: Sequence[str],
        *,
        refuse: Callable[[F, int], Exception],
        take: Callable[[], Reply],
    ) -> Response[bytes]:
        """Answer a request that is in order, as the fault in force wants it.

        `refuse` makes the provider's error for a fault and its status; `take` keeps the email.

        Raises:
            Exception: the fault's, or one of `take`.
        """
        fault = self._faults.strike(kind, recipients)
        if fault is None:
            return take().response()
        await asyncio.sleep(fault.latency_s)
        if fault.drop_connection:
            await hang_up(request)
            return Response(b"")
        if fault.status is not None:
            raise refuse(fault, fault.status)
        reply = take()
        if fault.drop_response:
            await hang_up(request)
        reply = reply.broken() if fault.malformed_answer else reply
        if fault.slow_answer_s:
            await answer_slowly(request, reply.raw(), fault.slow_answer_s)
        return reply.response()

    def keep(self, provider: MailProvider, taken: Taken) -> None:
        """Put an email into the inbox."""
        stored = StoredEmail(
            now(),
            taken.return_path,
            taken.recipients,
            taken.raw,
            provider=provider,
            reference=taken.reference,
            custom=dict(taken.custom),
            tags=taken.tags,
        )
        self._emails.add(stored)
        self._announce(stored)

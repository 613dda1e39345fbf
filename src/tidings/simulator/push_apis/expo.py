"""Expo's push service: one message or up to a hundred, a ticket for each.

https://docs.expo.dev/push-notifications/sending-notifications/
"""

import re
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from msgspec import Meta

from tidings.kit.ids import now
from tidings.simulator.faults import ExpoFault
from tidings.simulator.fcm.send import Pushes, StoredPush
from tidings.simulator.journal import Journal
from tidings.simulator.mail_apis.exchange import (
    API_KEY,
    ApiError,
    MailDesk,
    Reply,
    json_reply,
    phrase,
    render_api_error,
)
from tidings.simulator.mail_apis.reading import Misshapen, Unreadable, read_json

MAX_PAYLOAD_BYTES = 4096

TICKET_ERRORS = {
    "dead": ("DeviceNotRegistered", '"{token}" is not a registered push notification recipient'),
    "rate": ("MessageRateExceeded", "Messages are sent too frequently to this device"),
    "mismatch": ("MismatchSenderId", "The FCM server key is of another sender than the device's"),
    "credentials": ("InvalidCredentials", "The push credentials of the app are invalid or missing"),
}
"""What a ticket says for a token whose bracket begins with such a word: `ExponentPushToken[dead...]`."""

_TOKEN = re.compile(r"Expo(?:nent)?PushToken\[([^\[\]\s]+)\]")


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    to: str
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] = {}
    sound: str | None = None
    badge: int | None = None
    ttl: int | None = None
    priority: str | None = None

    def payload_bytes(self) -> int:
        """What of it goes on to Apple or Google."""
        return len(msgspec.json.encode([self.title, self.body, self.data]))


_MESSAGES: Any = _Message | Annotated[list[_Message], Meta(min_length=1, max_length=100)]


def expo_routes() -> Router:
    """The API below `/expo`."""
    return Router(
        path="/expo/--/api/v2",
        route_handlers=[send],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        tags=["expo"],
        security=[{}],
    )


@post("/push/send", status_code=200, summary="Expo: send pushes")
async def send(
    request: Request[Any, Any, Any], desk: NamedDependency[MailDesk], pushes: Pushes
) -> Response[bytes]:
    """Send push notifications. Without a key it takes all, as a project without enhanced security does."""
    if request.headers.get("authorization") not in {None, f"Bearer {API_KEY}"}:
        raise _error(401, "UNAUTHORIZED", "The bearer token is invalid")
    body = await request.body()
    asked, sent = _read(body), msgspec.json.decode(body)
    alone = isinstance(asked, _Message)
    messages = [asked] if isinstance(asked, _Message) else asked

    def take() -> Reply:
        raw = [sent] if alone else sent
        tickets = [_ticket(message, pushes, each) for message, each in zip(messages, raw, strict=True)]
        return json_reply(200, {"data": tickets[0] if alone else tickets})

    return await desk.serve(
        request, ExpoFault, [message.to for message in messages], refuse=_fault_error, take=take
    )


def _ticket(message: _Message, pushes: Journal[StoredPush], raw: dict[str, Any]) -> dict[str, Any]:
    inside = _TOKEN.fullmatch(message.to)
    if inside is None:
        return _refused("DeviceNotRegistered", f'"{message.to}" is not a valid Expo push token')
    for word, (error, words) in TICKET_ERRORS.items():
        if inside[1].startswith(word):
            return _refused(error, words.format(token=message.to))
    if message.payload_bytes() > MAX_PAYLOAD_BYTES:
        return _refused("MessageTooBig", "The total notification payload is more than 4096 bytes")
    ticket_id = str(uuid4())
    stored = StoredPush(
        provider="expo",
        received_at=now(),
        project="expo",
        token=message.to,
        name=ticket_id,
        message=raw,
    )
    pushes.add(stored)
    return {"status": "ok", "id": ticket_id}


def _refused(error: str, words: str) -> dict[str, Any]:
    return {"status": "error", "message": words, "details": {"error": error}}


def _read(body: bytes) -> _Message | list[_Message]:
    try:
        messages: _Message | list[_Message] = read_json(body, _MESSAGES)
    except Unreadable as error:
        raise _error(400, "VALIDATION_ERROR", "The request body is no JSON") from error
    except Misshapen as error:
        raise _error(400, "VALIDATION_ERROR", f'"{error.path}" {error.words}') from error
    return messages


def _error(status: int, code: str, words: str, headers: dict[str, str] | None = None) -> ApiError:
    return ApiError(json_reply(status, {"errors": [{"code": code, "message": words}]}, headers))


def _fault_error(fault: ExpoFault, status: int) -> ApiError:
    codes = {400: "VALIDATION_ERROR", 401: "UNAUTHORIZED", 429: "TOO_MANY_REQUESTS"}
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _error(status, codes.get(status, "INTERNAL_SERVER_ERROR"), phrase(status), headers)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(error.status_code, "VALIDATION_ERROR", error.detail).reply.response()

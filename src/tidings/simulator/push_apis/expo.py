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
from tidings.simulator.mail_apis.exchange import ApiError, MailDesk, Reply, json_reply, render_api_error
from tidings.simulator.mail_apis.reading import Misshapen, Unreadable, read_json
from tidings.simulator.push_apis.expo_errors import (
    check_key,
    expo_error,
    fault_error,
    push_error,
    refused,
    render_refusal,
)
from tidings.simulator.push_apis.expo_receipts import ExpoTickets, get_receipts

MAX_PAYLOAD_BYTES = 4096

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
        route_handlers=[send, get_receipts],
        exception_handlers={ApiError: render_api_error, HTTPException: render_refusal},
        tags=["expo"],
        security=[{}],
    )


@post("/push/send", status_code=200, summary="Expo: send pushes")
async def send(
    *,
    request: Request[Any, Any, Any],
    desk: NamedDependency[MailDesk],
    expo_tickets: NamedDependency[ExpoTickets],
    pushes: Pushes,
) -> Response[bytes]:
    """Send push notifications; each that is taken has a ticket."""
    check_key(request)
    body = await request.body()
    asked, sent = _read(body), msgspec.json.decode(body)
    alone = isinstance(asked, _Message)
    messages = [asked] if isinstance(asked, _Message) else asked

    def take() -> Reply:
        raw = [sent] if alone else sent
        tickets = [
            _ticket(message, pushes, expo_tickets, each) for message, each in zip(messages, raw, strict=True)
        ]
        return json_reply(200, {"data": tickets[0] if alone else tickets})

    return await desk.serve(
        request, ExpoFault, [message.to for message in messages], refuse=fault_error, take=take
    )


def _ticket(
    message: _Message, pushes: Journal[StoredPush], tickets: ExpoTickets, raw: dict[str, Any]
) -> dict[str, Any]:
    inside = _TOKEN.fullmatch(message.to)
    if inside is None:
        return refused("DeviceNotRegistered", f'"{message.to}" is not a valid Expo push token')
    error = push_error(inside[1], message.to)
    if error is not None:
        return error
    if message.payload_bytes() > MAX_PAYLOAD_BYTES:
        return refused("MessageTooBig", "The total notification payload is more than 4096 bytes")
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
    tickets.keep(ticket_id, message.to)
    return {"status": "ok", "id": ticket_id}


def _read(body: bytes) -> _Message | list[_Message]:
    try:
        messages: _Message | list[_Message] = read_json(body, _MESSAGES)
    except Unreadable as error:
        raise expo_error(400, "VALIDATION_ERROR", "The request body is no JSON") from error
    except Misshapen as error:
        raise expo_error(400, "VALIDATION_ERROR", f'"{error.path}" {error.words}') from error
    return messages

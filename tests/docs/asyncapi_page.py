"""The text of docs/asyncapi.yaml, from the types of the queue messages and the names of the queues.

Run it (`.venv/bin/python tests/docs/asyncapi_page.py`) to write the file anew.
"""

import inspect
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import yaml

import tidings
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import (
    CallbackOrder,
    DeliveryMessage,
    PushTicket,
    Receipt,
    ReceiptKind,
    ReceiptReport,
    StatusEvent,
    StatusReport,
    TakenPush,
    TicketReport,
)
from tidings.contracts.queues import (
    CALLBACKS_QUEUE,
    FAILED_QUEUE,
    RECEIPTS_QUEUE,
    STATUS_QUEUE,
    TICKETS_QUEUE,
    WORK_QUEUES,
    topology,
)
from tidings.kit.broker.deadletters import DETAIL, QUEUE, REASON
from tidings.kit.broker.rabbitmq.topology import Layout

PAGE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
COMMAND = ".venv/bin/python tests/docs/asyncapi_page.py"

_HEAD = f"# Written by `{COMMAND}` from the source; a test fails when it is out of date.\n"
_DESCRIPTION = """\
What the services of Tidings say to each other over RabbitMQ. Nothing here is for callers: they use the HTTP
API of the gateway. It is for those who watch the queues, or mend them.

Every queue is a durable quorum queue, every message is persistent and published with confirms, and every
delivery is acknowledged only when what follows from it is durable. So a message may come twice, and none gets
lost. A message that has to wait does so in a queue of its own, named after the work queue and the delay, such
as `email.retry.60s`, and comes back from there by itself.
"""
_SCHEMAS = "#/components/schemas/"
_BINDING = "0.3.0"
_ID = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

Json = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A kind of message: its type, what it is for, and one that could be."""

    kind: type[msgspec.Struct]
    summary: str
    example: msgspec.Struct


MESSAGES = (
    Message(
        DeliveryMessage,
        "Deliver one notification",
        DeliveryMessage(
            notification_id=_ID,
            request_id="signup-4711",
            channel=Channel.EMAIL,
            user_id="01990c3e-6e1f-7a44-9c53-0f6f8f1f7a10",
            template_id="welcome",
            template_version=3,
            variables={"name": "Ada"},
            accepted_at=_AT,
        ),
    ),
    Message(
        StatusReport,
        "Steps in the lives of notifications",
        StatusReport(
            events=[
                StatusEvent(
                    notification_id=_ID,
                    status=Status.RETRYING,
                    at=_AT,
                    attempt=1,
                    reason=Reason.PROVIDER_UNAVAILABLE,
                    detail="451 4.3.0 Try again later",
                    provider="smtp",
                )
            ]
        ),
    ),
    Message(
        ReceiptReport,
        "What providers said about emails after they had taken them",
        ReceiptReport(
            receipts=[
                Receipt(
                    event_id="evt-1",
                    kind=ReceiptKind.DELIVERED,
                    notification_id=_ID,
                    at=_AT,
                    provider="sendgrid",
                )
            ]
        ),
    ),
    Message(
        TicketReport,
        "Pushes whose receipts are to be asked for",
        TicketReport(
            ask_at=_AT,
            pushes=[
                TakenPush(
                    notification_id=_ID,
                    user_id=UUID("01990c3e-6e1f-7a44-9c53-0f6f8f1f7a10"),
                    tickets=[
                        PushTicket(
                            id="9f2c1a52-6f0e-4f39-8d0e-2b8c7a1f6d11", provider="expo", device_id=_ID, at=_AT
                        )
                    ],
                    devices=1,
                )
            ],
        ),
    ),
    Message(CallbackOrder, "Post an event to a caller's endpoint", CallbackOrder(delivery_id=_ID, attempt=1)),
)


@dataclass(frozen=True)
class Use:
    """What a queue carries, and which services put it there and take it from there."""

    message: str
    senders: str
    receivers: str


_USES = {
    **{name: Use("DeliveryMessage", "gateway", name.partition(".")[0]) for name in WORK_QUEUES},
    STATUS_QUEUE: Use("StatusReport", "email, push", "gateway"),
    RECEIPTS_QUEUE: Use("ReceiptReport", "email", "email"),
    TICKETS_QUEUE: Use("TicketReport", "push", "push"),
    CALLBACKS_QUEUE: Use("CallbackOrder", "gateway", "gateway"),
    FAILED_QUEUE: Use("DeadLetter", "every service that takes messages", "gateway"),
}


def asyncapi_page() -> str:
    """The whole file."""
    layout = Layout(topology())
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tidings: queue messages",
            "version": tidings.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "rabbitmq:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ 3.10 to 4.x: the host of `TIDINGS_BROKER_URL`",
            }
        },
        "channels": {queue: _channel(queue, layout) for queue in layout.routes},
        "operations": {
            name: body for queue in layout.routes for name, body in _operations(queue, _USES[queue]).items()
        },
        "components": {
            "messages": {
                **{message.kind.__name__: _message(message) for message in MESSAGES},
                "DeadLetter": _dead_letter(),
            },
            "schemas": {**_payload_schemas(), **_header_schemas()},
        },
    }
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _channel(queue: str, layout: Layout) -> Json:
    route, message = layout.routes[queue], _USES[queue].message
    return {
        "address": queue,
        "description": f"Behind the direct exchange `{route.exchange}`, routing key `{route.routing_key}`",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": queue, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations(queue: str, use: Use) -> dict[str, Json]:
    def operation(action: str, services: str, binding: Json) -> Json:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{queue}"},
            "summary": f"By {services}",
            "messages": [{"$ref": f"#/channels/{queue}/messages/{use.message}"}],
            "bindings": {"amqp": {**binding, "bindingVersion": _BINDING}},
        }

    return {
        f"send.{queue}": operation("send", use.senders, {"deliveryMode": 2, "mandatory": True}),
        f"receive.{queue}": operation("receive", use.receivers, {"ack": True}),
    }


def _message(message: Message) -> Json:
    return {
        "name": message.kind.__name__,
        "summary": message.summary,
        "correlationId": {"location": "$message.header#/x-correlation-id"},
        "headers": {"$ref": f"{_SCHEMAS}Headers"},
        "payload": {"$ref": f"{_SCHEMAS}{message.kind.__name__}"},
        "examples": [{"payload": msgspec.json.decode(msgspec.json.encode(message.example))}],
    }


def _dead_letter() -> Json:
    kinds = [{"$ref": f"{_SCHEMAS}{message.kind.__name__}"} for message in MESSAGES]
    anything = {"description": "or whatever else came, byte for byte"}
    return {
        "name": "DeadLetter",
        "summary": "A message of any kind, as it came, that nobody could deal with",
        "correlationId": {"location": "$message.header#/x-correlation-id"},
        "headers": {"$ref": f"{_SCHEMAS}DeadLetterHeaders"},
        "payload": {"anyOf": [*kinds, anything]},
    }


def _payload_schemas() -> Json:
    _, schemas = msgspec.json.schema_components(
        [message.kind for message in MESSAGES], ref_template=_SCHEMAS + "{name}"
    )
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    return schemas


def _header_schemas() -> Json:
    headers = {
        "x-correlation-id": {"type": "string", "description": "of the HTTP request that it all began with"},
        "traceparent": {"type": "string", "description": "W3C Trace Context, level 1"},
        "x-attempt": {"type": "integer", "minimum": 1, "description": "1 at first"},
        "x-not-before": {"type": "integer", "description": "milliseconds since the epoch, if it has to wait"},
    }
    why = {
        REASON: {"type": "string", "description": "a stable word such as `attempts_exhausted`"},
        DETAIL: {"type": "string", "maxLength": 2000, "description": "the same for people"},
        QUEUE: {"type": "string", "description": "the queue that it failed in"},
    }
    return {
        "Headers": {"type": "object", "properties": headers},
        "DeadLetterHeaders": {
            "type": "object",
            "properties": {**headers, **why},
            "required": list(why),
        },
    }


class _Dumper(yaml.SafeDumper):
    """YAML for people: no anchors, and paragraphs as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - the base class has it so
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


if __name__ == "__main__":
    PAGE.write_text(asyncapi_page(), "utf-8")

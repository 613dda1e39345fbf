"""What stands around the email service: the queue before it, and the simulator behind it."""

import json
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec

from simulator.running import Simulator
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import work_queue
from tidings.kit.broker.port import Broker, Message

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = {"x-correlation-id": "order-7", "traceparent": TRACEPARENT}


async def emails_to(simulator: Simulator, address: str) -> list[dict[str, Any]]:
    """What arrived at an address, newest first."""
    answer = await simulator.http.get("/api/inbox", params={"to": address})
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


async def misbehave(simulator: Simulator, *faults: dict[str, Any]) -> None:
    """Put SMTP faults in force."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", **fault} for fault in faults])
    assert answer.status_code == 200, answer.text


async def fault_fired(simulator: Simulator) -> bool:
    """Whether the one fault in force has struck: a claim alone comes before the body goes out."""
    return await times_fired(simulator) > 0


async def times_fired(simulator: Simulator) -> int:
    """How often the one fault in force has struck."""
    (report,) = (await simulator.http.get("/api/faults")).json()["faults"]
    return int(report["fired"])


def smtp(name: str, simulator: Simulator | int, **more: object) -> str:
    """A simulator's SMTP server, or a port of this machine, as a providers file says it."""
    port = simulator if isinstance(simulator, int) else simulator.smtp_port
    return _provider(name, kind="smtp", host="127.0.0.1", port=port, tls="none", **more)


def resend(name: str, simulator: Simulator | str, **more: object) -> str:
    """A simulator's Resend, which folds requests with one idempotency key, or another at a URL."""
    url = simulator if isinstance(simulator, str) else f"{str(simulator.http.base_url).rstrip('/')}/resend"
    return _provider(name, kind="resend", url=url, api_key="simulator-key", **more)


def _provider(name: str, **said: object) -> str:
    return "\n".join(
        [f"[providers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in said.items())]
    )


async def publish(broker: Broker, *messages: DeliveryMessage) -> None:
    """Publish as the gateway does."""
    for priority, lane in groupby(messages, attrgetter("priority")):
        await broker.publish(
            work_queue(Channel.EMAIL, priority),
            [Message(str(one.notification_id), msgspec.json.encode(one), HEADERS) for one in lane],
        )

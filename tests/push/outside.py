"""What stands around the push service: the queue before it, and the simulator's FCM behind it."""

from typing import Any

import msgspec

from simulator.running import Simulator
from support.parcels import new_message
from support.polling import eventually
from support.reports import Reports
from support.world import World
from tidings.contracts.codes import Channel, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.queues import PUSH_QUEUE
from tidings.kit.broker.port import Broker, Message

VARIABLES = {"name": "Ada", "link": "https://example.com/7"}


async def pushes_to(simulator: Simulator, token: str) -> list[dict[str, Any]]:
    """The pushes that a provider took for a device, newest first."""
    answer = await simulator.http.get("/api/push", params={"token": token, "limit": 1000})
    pushes: list[dict[str, Any]] = answer.json()["pushes"]
    return pushes


async def misbehave(simulator: Simulator, *faults: dict[str, Any]) -> None:
    """Put FCM faults in force."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": "fcm", **fault} for fault in faults])
    assert answer.status_code == 200, answer.text


async def misbehave_as(simulator: Simulator, provider: str, **fault: object) -> None:
    """Put one fault of any provider in force."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": provider, **fault}])
    assert answer.status_code == 200, answer.text


async def fired(simulator: Simulator) -> list[int]:
    """How often each fault in force has fired."""
    report = (await simulator.http.get("/api/faults")).json()
    return [entry["fired"] for entry in report["faults"]]


async def publish(broker: Broker, user_id: str, **fields: object) -> DeliveryMessage:
    """A message for a person, published as the gateway does."""
    message = new_message(Channel.PUSH, user_id=user_id, **{"variables": VARIABLES, **fields})
    await broker.publish(PUSH_QUEUE, [Message(str(message.notification_id), msgspec.json.encode(message))])
    return message


async def end_of(reports: Reports, message: DeliveryMessage) -> StatusEvent:
    """How sending it ended. What a receipt says of it, which belongs to no attempt, may come before that."""

    def ends() -> list[StatusEvent]:
        events = reports.of(message.notification_id)
        return [event for event in events if event.status.settled and _is_of_sending(event)]

    await eventually(lambda: bool(ends()))
    return ends()[0]


def _is_of_sending(event: StatusEvent) -> bool:
    return event.attempt > 0 or event.status is Status.CANCELLED


async def tokens_of(world: World, user_id: str) -> list[str]:
    """The devices that the user service knows of a person."""
    tokens = (await world.users.http.get(f"/users/{user_id}")).json()["tokens"]
    return [token["token"] for token in tokens]


async def only_these_stay(world: World, user_id: str, *tokens: str) -> None:
    """Wait until the user service knows no other devices of a person.

    Where it is too slow for the worker, a dead device is deregistered at a later attempt: what one device has
    got is reported before.
    """

    async def stayed() -> bool:
        return sorted(await tokens_of(world, user_id)) == sorted(tokens)

    await eventually(stayed)

"""The email service when its process ends in the middle of a send."""

import signal
from uuid import UUID

import httpx
import msgspec
from redis.asyncio import Redis

from delivery.conftest import NewMessage
from delivery.outside import emails_to, fault_fired, misbehave, publish
from simulator.running import Simulator
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.servers import PATIENCE
from support.serving import service_process
from tidings.contracts.codes import Status
from tidings.delivery.ledger import LEASE_SECONDS
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis


async def claimed(redis: Redis, notification_id: UUID) -> bool:
    return bool(await redis.exists(f"delivery:{notification_id}"))


async def test_a_stopping_worker_finishes_what_it_began(
    *,
    settings: EmailSettings,
    broker: Broker,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """SIGTERM in the middle of a send: it is finished, reported and acknowledged, and the exit is clean."""
    message = new_message()
    alone = msgspec.structs.replace(settings, port=free_port())
    await misbehave(simulator, {"latency_s": 1, "match": address})
    async with service_process("email", alone) as worker, open_redis(settings.cache_url) as redis:
        await publish(broker, message)
        await eventually(lambda: claimed(redis, message.notification_id))
        assert await worker.end(signal.SIGTERM) == 0
    assert (await reports.settled(message.notification_id)).status is Status.SENT
    assert len(await emails_to(simulator, address)) == 1


async def test_a_stopping_worker_gives_back_what_waits_for_a_provider(
    *,
    settings: EmailSettings,
    broker: Broker,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """SIGTERM while the one provider is down: the messages at the gate are for the next worker to send."""
    messages = [new_message() for _ in range(10)]
    first, second = (msgspec.structs.replace(settings, port=free_port()) for _ in range(2))
    cut_off = msgspec.structs.replace(first, smtp_port=free_port())
    async with (
        service_process("email", cut_off) as worker,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{cut_off.port}", timeout=PATIENCE) as http,
    ):
        await publish(broker, *messages)

        async def all_wait() -> bool:
            return 'tidings_gate_waiting{channel="email"} 10.0' in (await http.get("/metrics")).text

        await eventually(all_wait)
        assert await worker.end(signal.SIGTERM) == 0
    async with service_process("email", second):
        ends = [await reports.settled(message.notification_id) for message in messages]
    assert {end.status for end in ends} == {Status.SENT}
    assert len(await emails_to(simulator, address)) == len(messages)


async def test_a_killed_worker_is_replaced(
    *,
    settings: EmailSettings,
    broker: Broker,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """SIGKILL in the middle of a send: another worker waits for the lease to end, sends, and says so."""
    message = new_message()
    first, second = (msgspec.structs.replace(settings, port=free_port()) for _ in range(2))
    await misbehave(simulator, {"drop_connection": True, "stage": "data", "latency_s": 600, "times": 1})
    async with service_process("email", first) as worker, open_redis(settings.cache_url) as redis:
        await publish(broker, message)
        # The claim is taken before the body goes out: killed between the two, the worker would leave
        # the fault to its successor.
        await eventually(lambda: fault_fired(simulator))
        assert await claimed(redis, message.notification_id)
        await worker.end(signal.SIGKILL)
    async with service_process("email", second):
        await eventually(lambda: bool(reports.of(message.notification_id)), within=30 + LEASE_SECONDS)
        sent = await reports.settled(message.notification_id)
    assert sent.status is Status.SENT
    assert sent.attempt == 1
    assert sent.detail is not None
    assert "sent again" in sent.detail
    assert len(await emails_to(simulator, address)) == 1

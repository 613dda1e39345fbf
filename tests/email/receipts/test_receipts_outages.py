"""Receipts while something is down, and when there are very many of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.servers import SERVICE_SECRET, ValkeyNode, client_of
from support.signed_webhooks import SendGridSender
from support.world import World
from tidings.client.http import ServiceHttp, open_session
from tidings.client.users import UsersClient
from tidings.contracts.codes import Status
from tidings.contracts.messages import Receipt, ReceiptKind, ReceiptReport
from tidings.contracts.queues import RECEIPTS_QUEUE, topology
from tidings.delivery.ledger import Ledger
from tidings.delivery.reporting import Reporter
from tidings.email.receipts.addresses import AddressNotes
from tidings.email.receipts.consumer import ReceiptsConsumer
from tidings.email.receipts.memory import ReceiptMemory
from tidings.email.receipts.publishing import receipts_publisher
from tidings.email.receipts.webhook import Webhook
from tidings.email.receipts.webhooks import Webhooks, webhook_routes
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Acknowledge, Broker, DeadLetter, Delay, Delivery, Message
from tidings.kit.cache import open_redis
from tidings.kit.ids import now
from tidings.kit.service import build_app

EMAILS = 1_250
BATCH = 250


def bounce(address: str, **changed: object) -> Receipt:
    known = {
        "event_id": uuid4().hex,
        "kind": ReceiptKind.HARD_BOUNCE,
        "notification_id": uuid4(),
        "at": now(),
        "provider": "relay",
        "address": address,
    }
    return Receipt(**{**known, **changed})  # type: ignore[arg-type] # the caller's values fit


def delivery(*receipts: Receipt) -> Delivery:
    body = msgspec.json.encode(ReceiptReport(receipts=list(receipts)))
    return Delivery(RECEIPTS_QUEUE, Message("id", body), attempt=1, redelivered=False)


@pytest.fixture
async def stopped_redis() -> AsyncIterator[Redis]:
    """A cache that does not answer."""
    node = ValkeyNode()
    node.stop()
    async with open_redis(node.url) as redis:
        yield redis


@pytest.fixture
async def lost_users() -> AsyncIterator[UsersClient]:
    """A user service that does not answer."""
    sign = partial(ServiceTokens("email", SERVICE_SECRET).sign, "users")
    async with open_session() as session:
        yield UsersClient(ServiceHttp(session, f"http://127.0.0.1:{free_port()}", sign))


async def test_without_redis_receipts_are_applied_all_the_same(
    *,
    stopped_redis: Redis,
    users: UsersClient,
    broker: Broker,
    reports: Reports,
    world: World,
    address: str,
) -> None:
    """All that is forgotten is what was applied before, and that may be applied again."""
    memory = ReceiptMemory(stopped_redis)
    consumer = ReceiptsConsumer(memory, AddressNotes(users, memory), Ledger(stopped_redis), Reporter(broker))
    told = bounce(address)
    assert await consumer(delivery(told)) == Acknowledge()
    assert (await reports.next_of(told.notification_id)).status is Status.BOUNCED
    found = await world.users.http.get("/suppressions", params={"email": address})
    assert len(found.json()["suppressions"]) == 1


async def test_without_the_user_service_receipts_wait(
    redis: Redis,
    lost_users: UsersClient,
    users: UsersClient,
    ledger: Ledger,
    broker: Broker,
) -> None:
    """No attempt is used up, and what waited is applied in full once the service is back."""
    memory = ReceiptMemory(redis)
    told = delivery(bounce("waiting@example.com"))
    waiting = ReceiptsConsumer(memory, AddressNotes(lost_users, memory), ledger, Reporter(broker))
    settlement = await waiting(told)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    later = ReceiptsConsumer(memory, AddressNotes(users, memory), ledger, Reporter(broker))
    assert await later(told) == Acknowledge()


async def test_what_is_no_report_is_dead_lettered(
    redis: Redis, users: UsersClient, ledger: Ledger, broker: Broker
) -> None:
    """A message that nobody can read is kept for people to look at."""
    memory = ReceiptMemory(redis)
    consumer = ReceiptsConsumer(memory, AddressNotes(users, memory), ledger, Reporter(broker))
    broken = Delivery(RECEIPTS_QUEUE, Message("id", b"{}"), attempt=1, redelivered=False)
    assert isinstance(await consumer(broken), DeadLetter)


async def test_without_the_broker_the_provider_is_asked_to_come_again(
    webhooks: Mapping[str, Webhook], sendgrid: SendGridSender
) -> None:
    """A webhook is taken when its receipts are durable, and not before."""
    nowhere = f"postgresql://127.0.0.1:{free_port()}/nothing"
    event = {"email": "a@example.com", "event": "delivered", "timestamp": 1, "sg_event_id": "one"}
    posted = sendgrid.sign([{**event, "notification_id": str(uuid4())}], now())
    async with open_broker(nowhere, topology(), publish_limit=0.2) as lost:
        app = build_app(
            name="email",
            version="1",
            routes=webhook_routes(),
            authenticator=Authenticator(ServiceTokens("email", SERVICE_SECRET)),
            checks={},
            provides={"webhooks": Webhooks(webhooks, receipts_publisher(lost))},
        )
        async with client_of(app) as http:
            answer = await http.post("/webhooks/sendgrid", content=posted.body, headers=dict(posted.headers))
    assert answer.status_code == 503
    assert answer.json()["code"] == "broker_unavailable"
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_storm_of_events_in_the_wrong_order(
    http: httpx.AsyncClient, sendgrid: SendGridSender, consumer: Reports, world: World
) -> None:
    """Of 5,000 events, each told twice and shuffled, every email ends as it must and no step is missing."""
    emails = [uuid4() for _ in range(EMAILS)]
    bounced = set(emails[:50])
    events = [event for email in emails for event in life(email, bounced=email in bounced)]
    storm = events * 2
    random.Random(7).shuffle(storm)  # noqa: S311 - the same storm each time
    assert len(storm) == 5_000
    batches = [sendgrid.sign(storm[at : at + BATCH], now()) for at in range(0, len(storm), BATCH)]
    answers = await asyncio.gather(
        *[http.post("/webhooks/sendgrid", content=one.body, headers=dict(one.headers)) for one in batches]
    )
    assert {answer.status_code for answer in answers} == {200}
    await eventually(lambda: all(len(steps_of(consumer, email)) == 2 for email in emails), within=120)
    ends = [Status.BOUNCED if email in bounced else Status.DELIVERED for email in emails]
    assert [steps_of(consumer, email) for email in emails] == [{Status.SENT, end} for end in ends]
    entries = (await world.users.http.get("/suppressions", params={"limit": 200})).json()["suppressions"]
    listed = {entry["email"] for entry in entries if entry["email"].startswith("storm-")}
    assert listed == {f"storm-{email.hex}@example.com" for email in bounced}


def steps_of(reports: Reports, email: UUID) -> set[Status]:
    return {event.status for event in reports.of(email)}


def life(email: UUID, *, bounced: bool) -> list[dict[str, object]]:
    """A deferral, and the end."""
    end = {"event": "bounce", "type": "bounce", "status": "5.1.1"} if bounced else {"event": "delivered"}
    deferred_at = now() - timedelta(minutes=10)
    known = {"email": f"storm-{email.hex}@example.com", "notification_id": str(email)}
    at = int(deferred_at.timestamp())
    return [
        {**known, "event": "deferred", "sg_event_id": uuid4().hex, "timestamp": at},
        {**known, **end, "sg_event_id": uuid4().hex, "timestamp": at + 60},
    ]

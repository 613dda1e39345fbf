"""What each step of accepting a notification costs in CPU, measured one by one in this process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import msgspec
from costs import Cost, Steps, computed, cost_of
from email_throughput import TEMPLATE_ID, Works

from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import NewNotification
from tidings.contracts.queues import QueueSpec, Topology
from tidings.gateway.checking import RequestChecks
from tidings.gateway.fingerprints import fingerprint_of
from tidings.gateway.limits.enforcing import open_limits
from tidings.gateway.limits.tally import CallerLimits
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import GatewayStore, Receipt, Submission
from tidings.kit.auth import Principal, ServiceTokens
from tidings.kit.batching import Batcher
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, Message
from tidings.kit.database import open_database
from tidings.kit.ids import new_id, now

OWN_QUEUE = Topology(
    namespace="benchmark-accepts",
    queues=(QueueSpec(name="benchmark-accepts.queue", routing_key="benchmark"),),
    failed_queue="benchmark-accepts.failed",
    delays=(1.0,),
)
CALLER = Principal(owner="benchmark", scopes=frozenset({"*"}), kind="api_key")


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of the gateway, as it uses them."""

    checks: RequestChecks
    limits: CallerLimits
    store: GatewayStore
    broker: Broker


async def measure_steps(works: Works) -> Steps:
    """The steps that every single request takes until the broker has it."""
    body = msgspec.json.encode(works.stack.request(user_id=works.people[0], template_id=TEMPLATE_ID))
    request = msgspec.json.decode(body, type=NewNotification)
    only_computed = {
        "decode and validate": partial(msgspec.json.Decoder(NewNotification).decode, body),
        "fingerprint": partial(fingerprint_of, request, "benchmark"),
        "encode the message": lambda: msgspec.json.encode(_message(request)),
    }
    steps = {name: Cost(cost, cost) for name, work in only_computed.items() for cost in [computed(work)]}
    async with _desk(works) as desk:
        commits: Batcher[Submission, Receipt] = Batcher(desk.store.accept)
        publishes: Batcher[Message, None] = Batcher(partial(_publish, desk.broker))
        marks: Batcher[UUID, None] = Batcher(partial(_mark, desk.store))
        calls = {
            "count limits, in Redis": lambda number: desk.limits.tally(CALLER).count_notifications(
                works.people[number % len(works.people)], [Channel.EMAIL]
            ),
            "check user and template, both kept": lambda _: desk.checks.check(request),
            "commit, in PostgreSQL": lambda _: commits.submit(_submission(request)),
            "publish with confirms, to RabbitMQ": lambda _: publishes.submit(Message(str(new_id()), body)),
            "mark as queued, in PostgreSQL": lambda _: marks.submit(new_id()),
        }
        for name, call in calls.items():
            steps[name] = await cost_of(call)
    return steps


@asynccontextmanager
async def _desk(works: Works) -> AsyncIterator[Desk]:
    tokens = ServiceTokens("benchmark", works.secret)
    settings = GatewaySettings(
        port=0,
        service_secret=works.secret,
        database_url=works.database_url,
        broker_url=works.broker_url,
        users_url=works.url("users"),
        templates_url=works.url("templates"),
        cache_url=works.cache_url,
    )
    async with (
        open_session() as session,
        open_limits(settings) as limits,
        open_database(
            works.database_url, schema="gateway", package="tidings.gateway", pool_size=settings.pool_size
        ) as database,
        open_broker(works.broker_url, OWN_QUEUE) as broker,
    ):
        https = {
            name: ServiceHttp(session, works.url(name), partial(tokens.sign, name))
            for name in ("users", "templates")
        }
        checks = RequestChecks(UsersClient(https["users"]), TemplatesClient(https["templates"]))
        yield Desk(checks, limits, GatewayStore(database), broker)


def _message(request: NewNotification) -> DeliveryMessage:
    return DeliveryMessage(
        notification_id=new_id(),
        request_id=str(new_id()),
        channel=request.channel,
        user_id=request.user_id,
        template_id=request.template_id,
        template_version=1,
        variables=request.variables,
        accepted_at=now(),
    )


def _submission(request: NewNotification) -> Submission:
    message = _message(request)
    return Submission(
        message=message,
        body=msgspec.json.encode(message),
        owner=CALLER.owner,
        headers={},
        key=message.request_id,
        fingerprint=b"benchmark",
    )


async def _publish(broker: Broker, messages: list[Message]) -> Sequence[None]:
    await broker.publish(OWN_QUEUE.queues[0].name, messages)
    return [None] * len(messages)


async def _mark(store: GatewayStore, ids: list[UUID]) -> Sequence[None]:
    await store.mark_queued(ids)
    return [None] * len(ids)

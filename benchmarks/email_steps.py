"""What each step of sending an email costs in CPU, measured one by one in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from time import process_time
from uuid import uuid4

import aiohttp
import aiosmtplib
import msgspec
from costs import AT_ONCE, ROUNDS, SLOW_ROUNDS, Cost, Rate, Steps, computed, cost_of, rate_of
from email_throughput import TEMPLATE_ID, Works
from mime import DOMAIN, SENDER, by_email_message, ed25519_signer, rsa_signer

from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.queues import QueueSpec, Topology, topology
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.tracing import Trace
from tidings.contracts.users import Contact
from tidings.delivery import consent
from tidings.delivery.channel import Parcel
from tidings.delivery.directory import Directory
from tidings.delivery.ledger import Ledger, open_ledger
from tidings.delivery.links import RecipientLinks
from tidings.delivery.outcome import Taken
from tidings.delivery.reporting import Reporter
from tidings.email.letter import EmailParcel, Letter
from tidings.email.mime import MimeBuilder
from tidings.email.providers.configs import SmtpConfig
from tidings.email.providers.outfit import Outfit
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.return_path import ReturnPath
from tidings.kit.auth import ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Acknowledge, Delivery, Message, Settlement
from tidings.kit.cache import open_redis
from tidings.kit.ids import new_id, now
from tidings.rendering import Renderer

CONNECTIONS = 20
OWN_QUEUE = Topology(
    namespace="benchmark",
    queues=(QueueSpec(name="benchmark.queue", routing_key="benchmark"),),
    failed_queue="benchmark.failed",
    delays=(1.0,),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of the email service, as it uses them, and a real email on its way through them."""

    works: Works
    message: DeliveryMessage
    directory: Directory
    ledger: Ledger
    contact: Contact
    template: CompiledTemplate
    session: aiohttp.ClientSession

    def of(self, number: int) -> DeliveryMessage:
        """A message of its own to one of the people."""
        people = self.works.people
        return msgspec.structs.replace(
            self.message, notification_id=new_id(), user_id=people[number % len(people)]
        )

    def provider(self) -> SmtpProvider:
        """The SMTP provider, with the sink as its server."""
        outfit = Outfit(
            SENDER, MimeBuilder(SENDER), ReturnPath("secret", None, f"hello@{DOMAIN}"), self.session
        )
        config = SmtpConfig(host="127.0.0.1", port=self.works.sink.port, tls="none", connections=CONNECTIONS)
        return SmtpProvider("smtp", config, outfit)


async def measure_steps(works: Works) -> tuple[Steps, dict[str, float]]:
    """The steps that every email takes, and what signing adds to them."""
    async with _desk(works) as desk, open_broker(works.broker_url, topology()) as broker:
        parcel, steps = _prepared(desk)
        reporter = Reporter(broker)
        provider = desk.provider()
        calls = {
            "contact, from the user service": lambda number: desk.directory.contact(desk.of(number)),
            "template, kept": lambda number: desk.directory.template(desk.of(number)),
            "claim and record, in Redis": lambda _: _claim_and_record(desk.ledger),
            "SMTP on kept connections, with the MIME": lambda _: _send(provider, parcel),
            "status report, to RabbitMQ": lambda _: reporter.report(_sent()),
        }
        for name, call in calls.items():
            steps[name] = await cost_of(call)
        await provider.close()
        received = {at_once: await _consume(works, at_once) for at_once in (1, AT_ONCE)}
        steps["consume and acknowledge, from RabbitMQ"] = Cost(received[1], received[AT_ONCE])
        plain = computed(partial(MimeBuilder(SENDER).build, parcel))
        signing = {
            name: computed(partial(MimeBuilder(SENDER, signer).build, parcel)) - plain
            for name, signer in (("Ed25519", ed25519_signer()), ("RSA 2048", rsa_signer()))
        }
        return steps, signing


async def compare_sending(works: Works) -> tuple[Rate, Rate]:
    """Bare building and sending: ours, and `aiosmtplib` with `EmailMessage`, on as many connections."""
    async with _desk(works) as desk:
        parcel, _ = _prepared(desk)
        provider = desk.provider()
        ours = await rate_of(lambda _: _send(provider, parcel), ROUNDS, AT_ONCE)
        await provider.close()
        clients = [
            aiosmtplib.SMTP(hostname="127.0.0.1", port=works.sink.port, use_tls=False, start_tls=False)
            for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*(client.connect() for client in clients))
        free = list(clients)

        async def send(_: int) -> None:
            client = free.pop()
            await client.sendmail(f"hello@{DOMAIN}", [parcel.target], by_email_message(parcel))
            free.append(client)

        theirs = await rate_of(send, SLOW_ROUNDS, CONNECTIONS)
        await asyncio.gather(*(client.quit() for client in clients))
        return ours, theirs


@asynccontextmanager
async def _desk(works: Works) -> AsyncIterator[Desk]:
    tokens = ServiceTokens("benchmark", works.secret)

    def service(session: aiohttp.ClientSession, name: str) -> ServiceHttp:
        return ServiceHttp(session, works.url(name), partial(tokens.sign, name))

    message = DeliveryMessage(
        notification_id=uuid4(),
        request_id="benchmark",
        channel=Channel.EMAIL,
        user_id=works.people[0],
        template_id=TEMPLATE_ID,
        template_version=1,
        variables={"name": "Ada", "link": "https://example.com/start"},
        accepted_at=now(),
    )
    async with (
        open_session() as session,
        open_redis(works.cache_url) as redis,
        open_ledger(redis) as ledger,
    ):
        directory = Directory(
            UsersClient(service(session, "users")), TemplatesClient(service(session, "templates"))
        )
        contact, template = await directory.contact(message), await directory.template(message)
        if not isinstance(contact, Contact) or not isinstance(template, CompiledTemplate):
            raise TypeError(f"The services answered {contact} and {template}")
        yield Desk(works, message, directory, ledger, contact, template, session)


def _prepared(desk: Desk) -> tuple[EmailParcel, Steps]:
    """The email, and what the steps cost that only compute."""
    message, contact, template = desk.message, desk.contact, desk.template
    body = msgspec.json.encode(message)
    category = desk.directory.category(template.category)
    links = RecipientLinks("http://127.0.0.1:8000", desk.works.secret)
    provided = links.of(contact.user_id, category)
    render = partial(
        Renderer().email, template, message.variables, (message.locale, contact.locale), provided
    )
    email = render()
    if email is None or contact.email is None:
        raise ValueError("The template has no email, or the person no address")
    parcel = Parcel(message, contact, contact.email, Letter(email), provided["unsubscribe_url"])
    steps: dict[str, Callable[[], object]] = {
        "decode": partial(msgspec.json.Decoder(DeliveryMessage).decode, body),
        "consent": lambda: consent.refusal(message, contact, category, Channel.EMAIL, now(), trace=Trace()),
        "links to unsubscribe": partial(links.of, contact.user_id, category),
        "render": render,
    }
    costs = {name: computed(work) for name, work in steps.items()}
    return parcel, {name: Cost(cost, cost) for name, cost in costs.items()}


async def _claim_and_record(ledger: Ledger) -> None:
    notification_id = new_id()
    await ledger.claim(notification_id, "email", "smtp")
    await ledger.record(notification_id, "email", Taken(provider="smtp", detail="250 OK", at=now()))


async def _send(provider: SmtpProvider, parcel: EmailParcel) -> None:
    answer = await provider.send(parcel, _nothing)
    if not isinstance(answer, Taken):
        raise TypeError(f"The sink refused an email: {answer}")


def _sent() -> StatusEvent:
    return StatusEvent(notification_id=new_id(), status=Status.SENT, at=now(), attempt=1, detail="250 OK")


async def _consume(works: Works, at_once: int) -> float:
    async with open_broker(works.broker_url, OWN_QUEUE) as broker:
        queue = OWN_QUEUE.queues[0].name
        await broker.publish(queue, [Message(str(new_id()), b"x" * 500) for _ in range(ROUNDS)])
        left = ROUNDS
        done = asyncio.Event()

        async def handle(_: Delivery) -> Settlement:
            nonlocal left
            left -= 1
            if not left:
                done.set()
            return Acknowledge()

        started = process_time()
        consumer = await broker.consume(queue, handle, concurrency=at_once)
        await done.wait()
        await consumer.stop(limit=5)
        return (process_time() - started) / ROUNDS * 1e6


async def _nothing() -> None:
    """What is awaited before a body goes out: the claim is a step of its own."""

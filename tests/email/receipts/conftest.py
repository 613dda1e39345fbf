"""Receipts among real services: webhooks over HTTP, the consumer on the queue, the user service behind it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import cast

import httpx
import pytest
from litestar import Litestar, Response, get
from litestar.params import FromPath
from redis.asyncio import Redis

from support.polling import eventually
from support.ports import free_port
from support.reports import Reports, collecting
from support.servers import PATIENCE, SERVICE_SECRET, client_of
from support.serving import serving
from support.signed_webhooks import (
    TOPIC,
    CertificateHost,
    MailgunSender,
    PostmarkSender,
    ResendSender,
    Sender,
    SendGridSender,
    SesSender,
)
from support.world import World, fresh_address, open_world
from tidings.client.http import ServiceHttp, open_session
from tidings.client.users import UsersClient
from tidings.contracts.messages import Receipt
from tidings.contracts.queues import topology
from tidings.delivery.ledger import Ledger, open_ledger
from tidings.delivery.providers_file import ProviderConfig
from tidings.delivery.reporting import Reporter
from tidings.email.providers.configs import (
    ConsoleConfig,
    MailgunConfig,
    PostmarkConfig,
    ResendConfig,
    SendGridConfig,
    SesConfig,
)
from tidings.email.receipts.consumer import consuming_receipts
from tidings.email.receipts.memory import ReceiptMemory
from tidings.email.receipts.publishing import PublishReceipts, receipts_publisher
from tidings.email.receipts.webhook import Webhook
from tidings.email.receipts.webhooks import Webhooks, open_webhooks, webhook_routes
from tidings.email.return_path import ReturnPath
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis
from tidings.kit.outbound import Outbound, open_outbound
from tidings.kit.service import build_app

RETRY_DELAYS = (0.2, 0.4)
MAILGUN_KEY = "the key of the account"
POSTMARK_PASSWORD = "the password in the URL"

Remembered = Callable[[Sequence[Receipt | None]], Awaitable[None]]


@pytest.fixture(scope="session")
async def certificate_host() -> AsyncIterator[CertificateHost]:
    """Where certificates are fetched from."""
    certificates: dict[str, bytes] = {}
    confirmed: list[str] = []

    @get("/{name:str}")
    async def certificate(name: FromPath[str]) -> Response[bytes]:
        found = certificates.get(name)
        return Response(found or b"", status_code=200 if found else 503)

    @get("/confirm/{token:str}")
    async def confirm(token: FromPath[str]) -> None:
        confirmed.append(token)

    async with serving(Litestar([certificate, confirm], openapi_config=None), free_port()) as url:
        yield CertificateHost(url, certificates, confirmed)


@pytest.fixture(scope="session")
async def outbound(certificate_host: CertificateHost) -> AsyncIterator[Outbound]:
    """Requests to the outside, of which the certificates' host is let through."""
    async with open_outbound(allow=frozenset({certificate_host.url.removeprefix("http://")})) as outbound:
        yield outbound


@pytest.fixture(scope="session")
def senders(certificate_host: CertificateHost) -> Mapping[str, Sender]:
    """The providers, by the name that they have in the providers file."""
    ses = SesSender(f"{certificate_host.url}/ours.pem")
    certificate_host.certificates["ours.pem"] = ses.certificate
    return {
        "sendgrid": SendGridSender(),
        "ses": ses,
        "postmark": PostmarkSender(POSTMARK_PASSWORD),
        "mailgun": MailgunSender(MAILGUN_KEY),
        "resend": ResendSender(b"the secret of the endpoint"),
    }


@pytest.fixture(scope="session")
def sendgrid(senders: Mapping[str, Sender]) -> SendGridSender:
    """SendGrid, which says whatever a test makes up."""
    return cast("SendGridSender", senders["sendgrid"])


@pytest.fixture(scope="session")
def ses(senders: Mapping[str, Sender]) -> SesSender:
    """Amazon, which says whatever a test makes up."""
    return cast("SesSender", senders["ses"])


@pytest.fixture(scope="session")
def postmark(senders: Mapping[str, Sender]) -> PostmarkSender:
    """Postmark, which says whatever a test makes up."""
    return cast("PostmarkSender", senders["postmark"])


@pytest.fixture(scope="session")
def mailgun(senders: Mapping[str, Sender]) -> MailgunSender:
    """Mailgun, which says whatever a test makes up."""
    return cast("MailgunSender", senders["mailgun"])


@pytest.fixture(scope="session")
def resend(senders: Mapping[str, Sender]) -> ResendSender:
    """Resend, which says whatever a test makes up."""
    return cast("ResendSender", senders["resend"])


@pytest.fixture(scope="session")
def strangers(certificate_host: CertificateHost) -> Mapping[str, Sender]:
    """Those who pretend to be a provider, with keys of their own."""
    return {
        "sendgrid": SendGridSender(),
        "ses": SesSender(f"{certificate_host.url}/ours.pem"),
        "postmark": PostmarkSender("a guess"),
        "mailgun": MailgunSender("a guess"),
        "resend": ResendSender(b"a guess"),
    }


@pytest.fixture(scope="session")
def paths() -> ReturnPath:
    """What tells the person's address from copies'."""
    return ReturnPath(SERVICE_SECRET, None, "hello@example.com")


@pytest.fixture(scope="session")
def webhooks(
    sendgrid: SendGridSender,
    resend: ResendSender,
    certificate_host: CertificateHost,
    outbound: Outbound,
    paths: ReturnPath,
) -> Mapping[str, Webhook]:
    """The webhooks of a providers file that knows what these senders sign with."""
    providers: dict[str, ProviderConfig] = {
        "sendgrid": SendGridConfig(api_key="key", webhook_public_key=sendgrid.public_key),
        "ses": SesConfig(
            region="eu-west-1",
            access_key_id="id",
            secret_access_key="key",
            topic_arn=TOPIC,
            certificate_url_prefix=certificate_host.url,
        ),
        "postmark": PostmarkConfig(
            server_token="key", webhook_username="tidings", webhook_password=POSTMARK_PASSWORD
        ),
        "mailgun": MailgunConfig(domain="mail.example.com", api_key="key", webhook_signing_key=MAILGUN_KEY),
        "resend": ResendConfig(api_key="key", webhook_secret=resend.secret),
        "unsigned": MailgunConfig(domain="mail.example.com", api_key="key"),
        "console": ConsoleConfig(),
    }
    return open_webhooks(providers, outbound, paths)


@pytest.fixture(scope="session")
async def world(postgres_admin_url: str, service_token: Callable[..., str]) -> AsyncIterator[World]:
    """Broker, cache and users, shared by the suite."""
    async with open_world(postgres_admin_url, service_token) as world:
        yield world


@pytest.fixture(scope="session")
async def broker(world: World) -> AsyncIterator[Broker]:
    """The broker that the services share."""
    async with open_broker(world.broker_url, topology(RETRY_DELAYS), publish_limit=PATIENCE) as broker:
        yield broker


@pytest.fixture(scope="session")
async def reports(broker: Broker) -> AsyncIterator[Reports]:
    """What was reported to the gateway."""
    async with collecting(broker) as reports:
        yield reports


@pytest.fixture(scope="session")
async def redis(world: World) -> AsyncIterator[Redis]:
    """The cache."""
    async with open_redis(world.cache_url) as redis:
        yield redis


@pytest.fixture(scope="session")
async def ledger(redis: Redis) -> AsyncIterator[Ledger]:
    """The delivery ledger."""
    async with open_ledger(redis) as ledger:
        yield ledger


@pytest.fixture(scope="session")
async def users(world: World) -> AsyncIterator[UsersClient]:
    """The user service's client as the email service has it."""
    sign = partial(ServiceTokens("email", SERVICE_SECRET).sign, "users")
    async with open_session() as session:
        yield UsersClient(ServiceHttp(session, world.users.url, sign, seconds=PATIENCE))


@pytest.fixture(scope="session")
def publish(broker: Broker) -> PublishReceipts:
    """What puts receipts on the queue."""
    return receipts_publisher(broker)


@pytest.fixture(scope="session")
async def http(webhooks: Mapping[str, Webhook], publish: PublishReceipts) -> AsyncIterator[httpx.AsyncClient]:
    """The email service as the world outside reaches it, without a credential."""
    app = build_app(
        name="email",
        version="1",
        routes=webhook_routes(),
        authenticator=Authenticator(ServiceTokens("email", SERVICE_SECRET)),
        checks={},
        provides={"webhooks": Webhooks(webhooks, publish)},
    )
    async with client_of(app) as http:
        yield http


@pytest.fixture(scope="session")
async def consumer(
    broker: Broker, redis: Redis, users: UsersClient, ledger: Ledger, reports: Reports
) -> AsyncIterator[Reports]:
    """Receipts are applied while the suite runs; what is reported of them."""
    reporter = Reporter(broker)
    async with consuming_receipts(
        broker, redis=redis, users=users, ledger=ledger, reporter=reporter, limit=5
    ):
        yield reports


@pytest.fixture(scope="session")
def remembered(redis: Redis) -> Remembered:
    """Waits until receipts are remembered, which comes after all else, their reports too: a repeat is one."""
    memory = ReceiptMemory(redis)

    async def wait(receipts: Sequence[Receipt | None]) -> None:
        told = [receipt for receipt in receipts if receipt]

        async def known() -> bool:
            return not await memory.unseen(told)

        await eventually(known)

    return wait


@pytest.fixture
def address() -> str:
    """An address that no other test uses."""
    return fresh_address()

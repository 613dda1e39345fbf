"""The delivery pipeline as the email channel runs it, among real services and the simulator."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from delivery.desk import Desk, open_desk
from simulator.running import Simulator, running, settings_in
from support.ports import free_port
from support.reports import Reports, collecting
from support.servers import ASKED_AGAIN, SERVICE_SECRET, ValkeyNode
from support.world import World, fresh_address, open_world
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import topology
from tidings.email.settings import EmailSettings
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.kit.ids import now

RETRY_DELAYS = (0.2, 0.4)
MAX_ATTEMPTS = 3

NewMessage = Callable[..., DeliveryMessage]
Ways = Callable[..., EmailSettings]


@pytest.fixture(scope="session")
async def world(postgres_admin_url: str, service_token: Callable[..., str]) -> AsyncIterator[World]:
    """Broker, cache, users and templates, shared by the suite."""
    async with open_world(postgres_admin_url, service_token) as world:
        yield world


@pytest.fixture(scope="session")
async def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """The outside world, shared by the suite."""
    async with running(settings_in(tmp_path_factory.mktemp("simulator"))) as simulator:
        yield simulator


@pytest.fixture
async def simulator(shared_simulator: Simulator) -> AsyncIterator[Simulator]:
    """The simulator, well-behaved before and after."""
    (await shared_simulator.http.delete("/api/faults")).raise_for_status()
    yield shared_simulator
    (await shared_simulator.http.delete("/api/faults")).raise_for_status()


@pytest.fixture(scope="session")
async def shared_second(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """A second outside world, for another way out."""
    async with running(settings_in(tmp_path_factory.mktemp("second"))) as simulator:
        yield simulator


@pytest.fixture
async def second(shared_second: Simulator) -> AsyncIterator[Simulator]:
    """The second simulator, well-behaved before and after."""
    (await shared_second.http.delete("/api/faults")).raise_for_status()
    yield shared_second
    (await shared_second.http.delete("/api/faults")).raise_for_status()


@pytest.fixture(scope="session")
def settings(world: World, shared_simulator: Simulator) -> EmailSettings:
    """What the environment of the email service would say."""
    return EmailSettings(
        port=free_port(),
        service_secret=SERVICE_SECRET,
        broker_url=world.broker_url,
        cache_url=world.cache_url,
        users_url=world.users.url,
        templates_url=world.templates.url,
        retry_delays=RETRY_DELAYS,
        max_attempts=MAX_ATTEMPTS,
        look_up_seconds=ASKED_AGAIN,
        sender="Tidings <hello@mail.example.com>",
        smtp_host="127.0.0.1",
        smtp_port=shared_simulator.smtp_port,
        smtp_tls="none",
    )


@pytest.fixture(scope="session")
async def broker(world: World) -> AsyncIterator[Broker]:
    """The broker that the services share."""
    async with open_broker(world.broker_url, topology(RETRY_DELAYS)) as broker:
        yield broker


@pytest.fixture(scope="session")
async def reports(broker: Broker) -> AsyncIterator[Reports]:
    """What the workers reported."""
    async with collecting(broker) as reports:
        yield reports


@pytest.fixture
async def desk(settings: EmailSettings) -> AsyncIterator[Desk]:
    """A pipeline whose providers nobody has failed yet."""
    async with open_desk(settings) as desk:
        yield desk


@pytest.fixture
def ways(settings: EmailSettings, tmp_path: Path) -> Ways:
    """Makes the settings of an email service with these providers, in this order unless there are lanes."""

    def make(*providers: str, lanes: str = "") -> EmailSettings:
        file = tmp_path / f"{uuid4().hex}.toml"
        file.write_text("\n".join([*providers, "[lanes]", lanes]))
        return msgspec.structs.replace(settings, providers_file=str(file))

    return make


@pytest.fixture
def own_valkey() -> Iterator[ValkeyNode]:
    """A Valkey server that this test may stop."""
    node = ValkeyNode()
    yield node
    node.stop()


@pytest.fixture
async def desk_on_own_valkey(settings: EmailSettings, own_valkey: ValkeyNode) -> AsyncIterator[Desk]:
    """A pipeline whose ledger this test may stop."""
    async with open_desk(msgspec.structs.replace(settings, cache_url=own_valkey.url)) as desk:
        yield desk


@pytest.fixture
def address() -> str:
    """An address that no other test uses."""
    return fresh_address()


@pytest.fixture
async def user_id(world: World, address: str) -> str:
    """A person with that address."""
    return await world.add_user(email=address)


@pytest.fixture
def new_message(user_id: str) -> NewMessage:
    """Makes a message for that person, changed as named."""

    def make(**changed: object) -> DeliveryMessage:
        message = DeliveryMessage(
            notification_id=uuid4(),
            request_id="request",
            channel=Channel.EMAIL,
            user_id=user_id,
            template_id="welcome",
            variables={"name": "Ada"},
            accepted_at=now(),
        )
        return msgspec.structs.replace(message, **changed)

    return make

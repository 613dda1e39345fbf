"""The push service among the real user and template services, with the simulator for FCM."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import msgspec
import pytest

from push.ways import Outside
from simulator.running import Simulator, running, settings_in
from support.ports import free_port
from support.reports import Reports, collecting
from support.servers import ASKED_AGAIN, SERVICE_SECRET
from support.world import World, open_world
from tidings.contracts.queues import topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings

RETRY_DELAYS = (0.2, 0.4)
MAX_ATTEMPTS = 3


@pytest.fixture(scope="session")
async def world(postgres_admin_url: str, service_token: Callable[..., str]) -> AsyncIterator[World]:
    """Broker, cache, users and templates, shared by the suite."""
    async with open_world(postgres_admin_url, service_token) as world:
        yield world


@pytest.fixture(scope="session")
async def outside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outside]:
    """The outside world, shared by the suite, with an APNs."""
    folder = tmp_path_factory.mktemp("simulator")
    key_file, port = folder / "apns-key.p8", free_port()
    settings = msgspec.structs.replace(settings_in(folder), apns_port=port, apns_key_file=str(key_file))
    async with running(settings) as simulator:
        yield Outside(simulator, apns_url=f"http://127.0.0.1:{port}", apns_key_file=key_file)


@pytest.fixture(scope="session")
def shared_simulator(outside: Outside) -> Simulator:
    """The simulator of the outside world."""
    return outside.simulator


@pytest.fixture(autouse=True)
async def simulator(shared_simulator: Simulator) -> Simulator:
    """The simulator, well-behaved."""
    (await shared_simulator.http.delete("/api/faults")).raise_for_status()
    return shared_simulator


@pytest.fixture(scope="session")
def settings(world: World, shared_simulator: Simulator) -> PushSettings:
    """What the environment of the push service would say."""
    return PushSettings(
        port=free_port(),
        service_secret=SERVICE_SECRET,
        broker_url=world.broker_url,
        cache_url=world.cache_url,
        users_url=world.users.url,
        templates_url=world.templates.url,
        retry_delays=RETRY_DELAYS,
        max_attempts=MAX_ATTEMPTS,
        look_up_seconds=ASKED_AGAIN,
        fcm_credentials_file=str(shared_simulator.account_file),
        fcm_url=f"{str(shared_simulator.http.base_url).rstrip('/')}/fcm",
    )


@pytest.fixture(scope="session")
async def broker(world: World) -> AsyncIterator[Broker]:
    """The broker that the services share."""
    async with open_broker(world.broker_url, topology(RETRY_DELAYS)) as broker:
        yield broker


@pytest.fixture(scope="session")
async def reports(broker: Broker) -> AsyncIterator[Reports]:
    """What the worker reported."""
    async with collecting(broker) as reports:
        yield reports


@pytest.fixture
def token() -> str:
    """A registration token that no other test uses."""
    return f"device-{uuid4()}"


@pytest.fixture
async def user_id(world: World, token: str) -> str:
    """A person with that device."""
    user_id = await world.add_user()
    await world.add_device(user_id, token)
    return user_id

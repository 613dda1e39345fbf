"""The email channel's way out, against the simulator."""

from collections.abc import AsyncIterator

import pytest

from simulator.running import Simulator, running, settings_in
from support.servers import SERVICE_SECRET
from tidings.email.settings import EmailSettings


@pytest.fixture(scope="session")
async def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """The outside world, shared by the suite."""
    async with running(settings_in(tmp_path_factory.mktemp("simulator"))) as simulator:
        yield simulator


@pytest.fixture
async def simulator(shared_simulator: Simulator) -> Simulator:
    """The simulator, emptied and well-behaved."""
    for path in ("/api/inbox", "/api/faults"):
        (await shared_simulator.http.delete(path)).raise_for_status()
    return shared_simulator


@pytest.fixture(scope="session")
def settings(shared_simulator: Simulator) -> EmailSettings:
    """Settings that lead to the simulator."""
    return EmailSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        broker_url="postgresql://unused",
        cache_url="redis://unused",
        users_url="http://unused",
        templates_url="http://unused",
        sender="Tidings <hello@mail.example.com>",
        smtp_host="127.0.0.1",
        smtp_port=shared_simulator.smtp_port,
        smtp_tls="none",
        smtp_connections=3,
    )

"""One simulator process for the whole suite; each test starts with an empty one."""

from collections.abc import AsyncIterator

import pytest

from simulator.running import Simulator, running, settings_in


@pytest.fixture(scope="session")
async def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """The one that the suite shares."""
    async with running(settings_in(tmp_path_factory.mktemp("simulator"))) as simulator:
        yield simulator


@pytest.fixture
async def simulator(shared_simulator: Simulator) -> Simulator:
    """The shared simulator, emptied and well-behaved."""
    for path in ("inbox", "push", "faults", "webhooks", "webhooks/deliveries"):
        (await shared_simulator.http.delete(f"/api/{path}")).raise_for_status()
    return shared_simulator

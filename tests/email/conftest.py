"""The email channel's way out, against the simulator."""

from collections.abc import AsyncIterator

import pytest

from simulator.running import Simulator, running, settings_in


@pytest.fixture(scope="session")
async def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    """The outside world, shared by the suite."""
    async with running(settings_in(tmp_path_factory.mktemp("simulator"), tls=True)) as simulator:
        yield simulator


@pytest.fixture
async def simulator(shared_simulator: Simulator) -> Simulator:
    """The simulator, emptied and well-behaved."""
    for path in ("/api/inbox", "/api/faults"):
        (await shared_simulator.http.delete(path)).raise_for_status()
    return shared_simulator

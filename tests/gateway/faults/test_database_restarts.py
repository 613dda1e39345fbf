"""PostgreSQL restarted, stopped and killed while callers go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sized

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody
from gateway.faults.conftest import PATIENCE, Running, StartGateway
from support.polling import eventually
from support.postgres import PostgresNode
from support.servers import provision

CALLERS = 20
BETWEEN = 200  # taken before, between and after the outages
AGAIN_SECONDS = 0.05


@pytest.fixture
def node() -> Iterator[PostgresNode]:
    """A PostgreSQL server of this test's own."""
    node = PostgresNode()
    node.start()
    yield node
    node.remove()


@pytest.fixture
async def gateway(start_gateway: StartGateway, node: PostgresNode) -> AsyncIterator[Running]:
    """A gateway on that server."""
    async with start_gateway(database_url=await provision(node.admin_dsn, "gateway")) as gateway:
        yield gateway


class Callers:
    """Callers who send one request after the other, each until it is taken."""

    def __init__(self, gateway: Running, new_body: NewBody) -> None:
        self._gateway = gateway
        self._new_body = new_body
        self.taken: list[str] = []
        self.refusals: list[httpx.Response] = []
        self.over = False

    async def go_on(self) -> None:
        """Be one of them, until it is over."""
        while not self.over:
            body = self._new_body()
            while (answer := await self._gateway.http.post("/v1/notifications", json=body)).is_error:
                self.refusals.append(answer)
                await asyncio.sleep(AGAIN_SECONDS)  # less than the answer asks for, to be a burden
            self.taken.append(answer.json()["id"])


async def test_restarts_under_load(gateway: Running, node: PostgresNode, new_body: NewBody) -> None:
    """Through a restart and a power cut callers hear 503 and go on: each request is taken, and only once."""
    callers = Callers(gateway, new_body)
    calling = [asyncio.create_task(callers.go_on()) for _ in range(CALLERS)]
    for end in (node.stop, node.kill):
        await more(callers.taken, BETWEEN)
        await asyncio.to_thread(end)
        await more(callers.refusals, CALLERS)
        await asyncio.to_thread(node.start)
    await more(callers.taken, BETWEEN)
    callers.over = True
    await asyncio.gather(*calling)

    slowest = max(answer.elapsed for answer in callers.refusals)
    print(f"{len(callers.taken)} taken, {len(callers.refusals)} refused, the slowest in {slowest}")  # noqa: T201 - the proof is to be seen
    assert {(answer.status_code, answer.json()["code"]) for answer in callers.refusals} == {
        (503, "database_unavailable")
    }
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in callers.refusals)
    rows = await rows_by_request(node)
    assert set(rows.values()) == {1}
    assert rows.total() == len(callers.taken) == len(set(callers.taken))


async def more(found: Sized, count: int) -> None:
    """Wait until there are so many more."""
    enough = len(found) + count
    await eventually(lambda: len(found) >= enough, within=PATIENCE)


async def rows_by_request(node: PostgresNode) -> Counter[str]:
    """How many notifications each request has led to."""
    admin = await asyncpg.connect(node.admin_dsn)
    rows = await admin.fetch("select request_id, count(*) from gateway.notifications group by 1")
    await admin.close()
    return Counter(dict(tuple(row) for row in rows))

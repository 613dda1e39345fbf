"""The order in which `tidings up` starts things: as much at once as the dependencies allow."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.cli.engines.postgres import Postgres
from tidings.cli.engines.valkey import Valkey
from tidings.cli.environment import MIGRATED, OWNERS, Engines, environment_of, role_url
from tidings.cli.forking.messages import Preparation, Seeding
from tidings.cli.home import Home, State
from tidings.cli.ports import Ports, free_port
from tidings.cli.progress import Progress
from tidings.cli.stack import Stack


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Where the engines are, and those of them that we run ourselves."""

    engines: Engines
    postgres: Postgres | None
    valkey: Valkey | None


def plan_engines(
    home: Home, state: State, *, database: str | None, cache: str | None, broker: str | None
) -> EnginePlan:
    """Embed what is not named."""
    postgres = valkey = None
    if database is None:
        log = home.log_file("postgresql")
        postgres = Postgres(home.postgres, port=free_port(), password=state.admin_password, log=log)
        database = postgres.url
    if cache is None:
        log = home.log_file("valkey")
        valkey = Valkey(home.valkey, port=free_port(), password=state.cache_password, log=log)
        cache = valkey.url
    return EnginePlan(Engines(database=database, cache=cache, broker=broker), postgres, valkey)


class Startup:
    """One start of everything."""

    def __init__(
        self,
        *,
        home: Home,
        stack: Stack,
        plan: EnginePlan,
        state: State,
        environment: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self._home = home
        self._stack = stack
        self._plan = plan
        self._state = state
        self._environment = environment
        self._progress = progress

    async def run(self, ports: Ports) -> str:
        """Start everything and wait until it is ready; returns the demonstration user's id.

        Raises:
            CannotContinue: in an exception group; what was started still runs.
        """
        async with asyncio.TaskGroup() as engines:
            engines.create_task(self._stack.prepare_forks())
            engines.create_task(self._database())
            engines.create_task(self._cache())
            # It writes the credentials that the push service reads when it starts; those of the last
            # start may lead to another port.
            self._home.service_account.unlink(missing_ok=True)
            engines.create_task(self._service("simulator"))
        async with asyncio.TaskGroup() as services:
            needed = [services.create_task(self._service(name)) for name in ("users", "templates")]
            for name in ("gateway", "email", "push"):
                services.create_task(self._service(name))
            user_id = services.create_task(self._seed(needed, ports))
        return user_id.result()

    async def _database(self) -> None:
        postgres = self._plan.postgres
        if postgres:
            with self._progress.step("postgresql"):
                await self._stack.start_engine("postgresql", postgres)
        url = self._plan.engines.database
        preparation = Preparation(
            database_url=url,
            server_url=postgres.admin_url if postgres else None,
            passwords={owner: self._state.role_password(owner) for owner in OWNERS},
            migrated={service: role_url(url, service, self._state) for service in MIGRATED},
        )
        with self._progress.step("schemas"):
            await self._stack.run_job(preparation)

    async def _cache(self) -> None:
        valkey = self._plan.valkey
        if valkey:
            with self._progress.step("valkey"):
                await self._stack.start_engine("valkey", valkey)

    async def _service(self, name: str) -> None:
        with self._progress.step(name):
            await self._stack.start_service(name, environment_of(name, self._environment))

    async def _seed(self, needed: Sequence[asyncio.Task[None]], ports: Ports) -> str:
        await asyncio.gather(*needed)
        seeding = Seeding(
            users_url=ports.url("users"),
            templates_url=ports.url("templates"),
            service_secret=self._environment["TIDINGS_SERVICE_SECRET"],
            user_id=self._state.user_id,
        )
        with self._progress.step("first data"):
            user_id = await self._stack.run_job(seeding)
        if user_id is None:
            raise RuntimeError("the first data were stored without a user")
        return user_id

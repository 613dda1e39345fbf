"""Dead letters at work: recorded as they come in, replayed as jobs ask, and open to operators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar.types import ControllerRouterHandler

from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.checking import RequestChecks
from tidings.gateway.dead_letters import api, replay_api
from tidings.gateway.dead_letters.reading import DeadLetterReader
from tidings.gateway.dead_letters.recording import recording_dead_letters
from tidings.gateway.dead_letters.replay_store import ReplayStore
from tidings.gateway.dead_letters.replaying import Replayer
from tidings.gateway.dead_letters.revising import Reviser
from tidings.gateway.dead_letters.store import DeadLetterStore
from tidings.gateway.dead_letters.working import ReplayWorker, working
from tidings.gateway.dispatch import Dispatcher
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.broker.port import Broker
from tidings.kit.database import Database

DEAD_LETTER_ROUTES: list[ControllerRouterHandler] = [*api.ROUTES, *replay_api.ROUTES]


@asynccontextmanager
async def open_dead_letters(
    database: Database,
    broker: Broker,
    dispatcher: Dispatcher,
    outbox: CallbackOutbox,
    checks: RequestChecks,
    *,
    limit: float,
) -> AsyncIterator[dict[str, object]]:
    """Record and replay for as long as the block runs; gives what the routes may name as parameters.

    `limit` is how many seconds the last letters may take when it ends.
    """
    letters, replays = DeadLetterStore(database, outbox), ReplayStore(database)
    replayer = Replayer(letters, replays, checks, dispatcher)
    async with (
        recording_dead_letters(letters, broker, limit=limit),
        working(ReplayWorker(replays, replayer)) as worker,
    ):
        yield {
            "dead_letters": letters,
            "dead_letter_reader": DeadLetterReader(letters, ReadingStore(database)),
            "reviser": Reviser(letters, checks),
            "replayer": replayer,
            "replays": replays,
            "replay_worker": worker,
        }

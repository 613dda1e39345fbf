"""Making new notifications of dead letters: one on request, or a job's next few."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from tidings.contracts.codes import Status
from tidings.contracts.messages import DeliveryMessage
from tidings.gateway.checking import RequestChecks
from tidings.gateway.dead_letters.replay_store import Replay, ReplayStore, Slice
from tidings.gateway.dead_letters.revising import as_request, found, revised
from tidings.gateway.dead_letters.store import BATCH_SECONDS, DeadLetterStore, KeptLetter
from tidings.gateway.dispatch import Dispatcher
from tidings.gateway.store import Dispatch
from tidings.kit.errors import Conflict, ProblemError, Unavailable
from tidings.kit.ids import new_id, now
from tidings.kit.telemetry import trace_headers

DISCARDED = "unknown_dead_letter"
BROKEN = "internal_error"

REPLAYS = Counter(
    "tidings_dead_letter_replays_total", "Dead letters replayed, or skipped and why", ["outcome"]
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How dead letters are replayed, and for whom. `sandbox`: a test key asked, which reaches no others."""

    actor: str
    sandbox: bool
    again: bool = False
    skip_expired: bool = True


class Replayer:
    """Replays dead letters as new notifications, each checked as a new request is."""

    def __init__(
        self, letters: DeadLetterStore, replays: ReplayStore, checks: RequestChecks, dispatcher: Dispatcher
    ) -> None:
        self._letters = letters
        self._replays = replays
        self._checks = checks
        self._dispatcher = dispatcher

    async def replay(self, letter_id: UUID, terms: Terms) -> UUID:
        """Replay one; returns the id of the new notification.

        Raises:
            NotFound: there is no such dead letter.
            Conflict: it was replayed or has arrived before, or it changes at this moment.
            Unprocessable: it has expired, or could not be delivered.
        """
        letter = await found(self._letters, letter_id, only_tests=terms.sandbox)
        replay = await self._prepared(letter, terms)
        if not await self._replays.commit(replay, actor=terms.actor):
            raise Conflict(
                f"The dead letter {letter_id} was edited or replayed by another. Read it again",
                code="dead_letter_changed",
            )
        self._hand_over([replay])
        return replay.row.message.notification_id

    async def replay_slice(self, claimed: Slice) -> None:
        """Replay some of a job's dead letters, or note why they are skipped.

        Raises:
            Unavailable: the database or the template service does not answer. What was claimed is free
                again after a while.
        """
        terms = Terms(claimed.actor, claimed.sandbox, claimed.again, claimed.skip_expired)
        kept = await self._letters.kept(claimed.letter_ids, only_tests=claimed.sandbox, limit=BATCH_SECONDS)
        letters = {letter.summary.id: letter for letter in kept}
        outcomes = await asyncio.gather(*(self._outcome(one, terms) for one in letters.values()))
        skipped = {letter_id: DISCARDED for letter_id in claimed.letter_ids if letter_id not in letters}
        skipped |= {
            letter_id: outcome
            for letter_id, outcome in zip(letters, outcomes, strict=True)
            if isinstance(outcome, str)
        }
        replays = [outcome for outcome in outcomes if isinstance(outcome, Replay)]
        self._hand_over(await self._replays.commit_slice(claimed, replays, skipped))
        for reason in skipped.values():
            REPLAYS.labels(reason).inc()

    async def _outcome(self, letter: KeptLetter, terms: Terms) -> Replay | str:
        try:
            return await self._prepared(letter, terms)
        except Unavailable:
            raise
        except ProblemError as refusal:
            return refusal.code
        except Exception:
            # One letter that breaks us must not hold up the others for ever.
            log.exception("replay_failed", dead_letter_id=str(letter.summary.id))
            return BROKEN

    async def _prepared(self, letter: KeptLetter, terms: Terms) -> Replay:
        message = revised(letter)
        if not terms.again:
            _refuse_second(letter)
        if not terms.skip_expired and message.expires_at is not None and message.expires_at <= now():
            message = msgspec.structs.replace(message, expires_at=None)
        # Somebody has just mended the template: an older version would fail the same way.
        version = await self._checks.check(as_request(message), version=message.template_version, surely=True)
        message, copies = _with_own_files(message)
        fresh = msgspec.structs.replace(
            message,
            notification_id=new_id(),
            template_version=version,
            accepted_at=now(),
            sandbox=message.sandbox or terms.sandbox,
        )
        return Replay.of(
            letter, fresh, owner=letter.owner or terms.actor, headers=trace_headers(), copies=copies
        )

    def _hand_over(self, replays: Sequence[Replay]) -> None:
        for one in replays:
            self._dispatcher.hand_over(Dispatch.of(one.row))
        REPLAYS.labels("replayed").inc(len(replays))


def _refuse_second(letter: KeptLetter) -> None:
    earlier = letter.summary.replayed_as
    if earlier:
        words = f"It was replayed before, as notification {earlier[-1]}. Say `again` to replay it once more"
        raise Conflict(words, code="already_replayed")
    if letter.status in {Status.SENT, Status.DELIVERED}:
        words = f"Its notification was {letter.status} all the same. Say `again` to send it once more"
        raise Conflict(words, code="already_sent")
    if letter.status is Status.CANCELLED:
        words = "Its notification was cancelled at that moment. Say `again` to send it all the same"
        raise Conflict(words, code="already_cancelled")


def _with_own_files(message: DeliveryMessage) -> tuple[DeliveryMessage, dict[UUID, UUID]]:
    """The message with new ids for its files, which are copied: they go when their notification goes."""
    if message.email is None:
        return message, {}
    copies = {one.id: new_id() for one in message.email.attachments if one.id is not None}
    files = [
        one if one.id is None else msgspec.structs.replace(one, id=copies[one.id])
        for one in message.email.attachments
    ]
    email = msgspec.structs.replace(message.email, attachments=files)
    return msgspec.structs.replace(message, email=email), copies

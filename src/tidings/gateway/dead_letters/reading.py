"""A dead letter whole: the message, its attempts, and what became of its replays."""

from uuid import UUID

import msgspec

from tidings.contracts.dead_letters import DeadLetterDetail, ReplayedAs
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import TimelineEvent
from tidings.gateway.dead_letters.revising import found, original_of
from tidings.gateway.dead_letters.store import DeadLetterStore, KeptLetter
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.errors import Unprocessable

SHOWN_CHARS = 10_000
"""Of a body that is no message of ours."""


class DeadLetterReader:
    """Puts together what is known of a dead letter."""

    def __init__(self, letters: DeadLetterStore, notifications: ReadingStore) -> None:
        self._letters = letters
        self._notifications = notifications

    async def read(self, letter_id: UUID, *, only_tests: bool) -> DeadLetterDetail:
        """A dead letter whole; with `only_tests` if its notification was sent with a test key.

        Raises:
            NotFound: `unknown_dead_letter`.
        """
        letter = await found(self._letters, letter_id, only_tests=only_tests)
        message = _message_in(letter)
        return DeadLetterDetail(
            **msgspec.structs.asdict(letter.summary),
            message=message,
            body=letter.body.decode(errors="replace")[:SHOWN_CHARS] if message is None else None,
            edits=letter.edits,
            attempts=await self._attempts(letter.summary.notification_id),
            replays=[one for key in letter.summary.replayed_as for one in await self._replay(key)],
        )

    async def _attempts(self, notification_id: UUID | None) -> list[TimelineEvent]:
        if notification_id is None:
            return []
        notification = await self._notifications.notification(notification_id)
        return [] if notification is None else notification.timeline

    async def _replay(self, notification_id: UUID) -> list[ReplayedAs]:
        one = await self._notifications.notification(notification_id)
        if one is None:
            return []
        made = ReplayedAs(
            id=one.id, status=one.status, settled=one.settled, reason=one.reason, accepted_at=one.accepted_at
        )
        return [made]


def _message_in(letter: KeptLetter) -> DeliveryMessage | None:
    try:
        return original_of(letter)
    except Unprocessable:
        return None

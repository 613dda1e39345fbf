"""What a replay will say: the original message with an operator's edits in place of parts of it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from tidings.contracts.dead_letters import DeadLetterEdits, DeadLetterPatch
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import NewNotification
from tidings.gateway.checking import RequestChecks
from tidings.gateway.dead_letters.store import DeadLetterStore, KeptLetter
from tidings.gateway.fingerprints import fingerprint_of
from tidings.kit.auth import Principal
from tidings.kit.errors import Conflict, NotFound, Unprocessable
from tidings.kit.moments import storable_time

NO_EDITS = DeadLetterEdits()

_decode = msgspec.json.Decoder(DeliveryMessage).decode


def original_of(letter: KeptLetter) -> DeliveryMessage:
    """The message as it failed.

    Raises:
        Unprocessable: `unreadable_dead_letter`.
    """
    try:
        return _decode(letter.body)
    except msgspec.DecodeError as error:
        words = f"The dead letter {letter.summary.id} is no message of ours ({error}), so nothing can be sent"
        raise Unprocessable(words, code="unreadable_dead_letter") from error


def revised(letter: KeptLetter) -> DeliveryMessage:
    """The message as a replay would say it.

    Without a version chosen by an edit it has none: a replay takes the newest, as whoever mends a
    template publishes one.

    Raises:
        Unprocessable: `unreadable_dead_letter` or `redacted_dead_letter`.
    """
    if letter.summary.redacted_at is not None:
        words = (
            f"The dead letter {letter.summary.id} was redacted on {letter.summary.redacted_at:%Y-%m-%d}: "
            "what it said is gone. Send a new notification"
        )
        raise Unprocessable(words, code="redacted_dead_letter")
    edited = msgspec.structs.asdict(letter.edits or NO_EDITS)
    changes = {name: value for name, value in edited.items() if value is not UNSET}
    return msgspec.structs.replace(original_of(letter), **{"template_version": None, **changes})


def as_request(message: DeliveryMessage) -> NewNotification:
    """The request that asks for this message, apart from what only an email has."""
    return NewNotification(
        request_id=message.request_id,
        channel=message.channel,
        user_id=message.user_id,
        template_id=message.template_id,
        variables=message.variables,
        locale=message.locale,
        priority=message.priority,
        expires_at=message.expires_at,
        metadata=message.metadata,
    )


class Reviser:
    """Keeps edits beside dead letters, once they would be accepted."""

    def __init__(self, store: DeadLetterStore, checks: RequestChecks) -> None:
        self._store = store
        self._checks = checks

    async def revise(self, letter_id: UUID, patch: DeadLetterPatch, caller: Principal) -> None:
        """Add changes to a dead letter's edits.

        Raises:
            NotFound: there is no such dead letter.
            Conflict: it was edited or replayed meanwhile.
            Unprocessable: what it would say could not be delivered.
        """
        letter = await found(self._store, letter_id, only_tests=caller.sandbox)
        edits = _patched(letter, patch)
        message = revised(replace(letter, edits=edits))
        # An expiry that has passed stands in the way of a replay, and not of mending the rest.
        new_expiry = message.expires_at if patch.expires_at is not UNSET else None
        request = msgspec.structs.replace(as_request(message), expires_at=new_expiry)
        fingerprint_of(request, message.request_id)
        await self._checks.check(request, version=message.template_version)
        expires_at = letter.summary.expires_at if patch.expires_at is UNSET else new_expiry
        if not await self._store.edit(letter, edits, expires_at, actor=caller.owner):
            raise Conflict(
                f"The dead letter {letter_id} was edited or replayed by another. Read it again",
                code="dead_letter_changed",
            )


async def found(store: DeadLetterStore, letter_id: UUID, *, only_tests: bool) -> KeptLetter:
    """A dead letter.

    Raises:
        NotFound: `unknown_dead_letter`.
    """
    letters = await store.kept([letter_id], only_tests=only_tests)
    if not letters:
        raise unknown_dead_letter(letter_id)
    return letters[0]


def unknown_dead_letter(letter_id: UUID | str) -> NotFound:
    """The error for an id that no dead letter has."""
    return NotFound(f"There is no dead letter {letter_id}", code="unknown_dead_letter")


def _patched(letter: KeptLetter, patch: DeadLetterPatch) -> DeadLetterEdits:
    changes: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET
    }
    if patch.variables is not UNSET:
        changes["variables"] = _merged(revised(letter).variables, patch.variables)
    if patch.expires_at is not UNSET and patch.expires_at is not None:
        changes["expires_at"] = storable_time("expires_at", patch.expires_at)
    return msgspec.structs.replace(letter.edits or NO_EDITS, **changes)


def _merged(variables: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in variables.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}

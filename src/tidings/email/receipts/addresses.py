"""What receipts mean for addresses: who goes on the suppression list, and who comes off it."""

from collections import defaultdict
from collections.abc import Sequence

import structlog

from tidings.client.http import RemoteProblem
from tidings.client.users import UsersClient
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.contracts.users import SuppressionReason
from tidings.email.receipts.concurrently import concurrently
from tidings.email.receipts.memory import SOFT_BOUNCE_LIMIT, ReceiptMemory

ADDRESSES_AT_ONCE = 10

log = structlog.get_logger(__name__)


class AddressNotes:
    """Keeps the suppression list in step with receipts."""

    def __init__(self, users: UsersClient, memory: ReceiptMemory) -> None:
        self._users = users
        self._memory = memory

    async def note(self, receipts: Sequence[Receipt]) -> None:
        """Apply receipts, given in the order of their times: one address after the other's words.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        by_address: defaultdict[str, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            if receipt.address:
                by_address[receipt.address.casefold()].append(receipt)
        await concurrently(ADDRESSES_AT_ONCE, self._note_one, by_address.values())

    async def _note_one(self, receipts: Sequence[Receipt]) -> None:
        for kind in dict.fromkeys(receipt.kind for receipt in receipts):
            await self._note_kind(kind, [receipt for receipt in receipts if receipt.kind is kind])

    async def _note_kind(self, kind: ReceiptKind, receipts: Sequence[Receipt]) -> None:
        """What one address's receipts of one kind, oldest first, come to."""
        latest = receipts[-1]
        address = latest.address or ""
        match kind:
            case ReceiptKind.HARD_BOUNCE:
                await self._memory.note_dead(address, latest.at)
                await self._suppress(address, SuppressionReason.HARD_BOUNCE, _source(latest))
            case ReceiptKind.COMPLAINT:
                await self._suppress(address, SuppressionReason.COMPLAINT, _source(latest))
            case ReceiptKind.SOFT_BOUNCE:
                await self._count(address, receipts)
            case ReceiptKind.DELIVERED:
                if await self._memory.note_delivered(address, latest.at):
                    await self._clear(address)
            case ReceiptKind.DEFERRED:
                pass

    async def _count(self, address: str, bounces: Sequence[Receipt]) -> None:
        full = [await self._memory.note_soft_bounce(address, bounce) for bounce in bounces]
        if any(full):
            latest = bounces[-1]
            await self._memory.note_dead(address, latest.at)
            source = f"{SOFT_BOUNCE_LIMIT} soft bounces within 7 days; the last: {_source(latest)}"
            await self._suppress(address, SuppressionReason.HARD_BOUNCE, source)

    async def _suppress(self, address: str, reason: SuppressionReason, source: str) -> None:
        try:
            await self._users.suppress(email=address, reason=reason, source=source)
        except RemoteProblem as problem:
            # Providers report addresses that our user service would never have taken.
            log.warning("suppression_refused", address=address, problem=str(problem))

    async def _clear(self, address: str) -> None:
        try:
            await self._users.succeeded(address)
        except RemoteProblem as problem:
            log.warning("success_refused", address=address, problem=str(problem))


def _source(receipt: Receipt) -> str:
    return f"{receipt.provider}: {receipt.detail or receipt.kind}"

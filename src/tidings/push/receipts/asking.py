"""Asking for receipts: the tickets of many broker messages share one request."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from tidings.delivery.outcome import Answer, Refused
from tidings.kit.batching import Batcher


class GivesReceipts(Protocol):
    """A provider's side that tells later what became of pushes."""

    @property
    def name(self) -> str:
        """The provider's name in the providers file."""

    @property
    def most(self) -> int:
        """How many tickets one request may name."""

    async def receipts(self, tickets: Sequence[str]) -> Mapping[str, Answer] | Refused:
        """What became of each push, by its ticket; those that are not known yet are left out."""


class NoReceipts(Exception):
    """The provider did not answer with receipts, and why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.provider}: {refused.detail}")
        self.refused = refused


class Asking:
    """Asks one provider. While it answers one request, the tickets of the next gather."""

    def __init__(self, provider: GivesReceipts) -> None:
        self._provider = provider
        self._batches: Batcher[str, Answer | None] = Batcher(self._ask, max_size=provider.most)

    async def receipts(self, tickets: Sequence[str]) -> dict[str, Answer]:
        """The receipts that there are, by ticket.

        Raises:
            NoReceipts: the provider did not answer with any.
        """
        answers = await asyncio.gather(*map(self._batches.submit, tickets))
        return {ticket: answer for ticket, answer in zip(tickets, answers, strict=True) if answer}

    async def _ask(self, tickets: list[str]) -> Sequence[Answer | None]:
        found = await self._provider.receipts(tickets)
        if isinstance(found, Refused):
            raise NoReceipts(found)
        return [found.get(ticket) for ticket in tickets]

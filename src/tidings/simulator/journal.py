"""A bounded memory of what arrived, newest first; the oldest entries make room."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Entries with their ids, newest first. `total` counts all that match, on every page."""

    entries: list[tuple[int, T]]
    total: int
    next_cursor: int | None


class Journal(Generic[T]):
    """Keep at most `max_entries` entries and `max_bytes` bytes of them, as measured by `size`.

    Ids count up from 1 and are never used again, not even after `clear`. An entry larger than
    `max_bytes` is kept alone.
    """

    def __init__(self, *, max_entries: int, max_bytes: int, size: Callable[[T], int]) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size = size
        self._entries: dict[int, T] = {}
        self._bytes = 0
        self._last_id = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: T) -> int:
        """Keep an entry; returns its id."""
        self._last_id += 1
        self._entries[self._last_id] = entry
        self._bytes += self._size(entry)
        while len(self._entries) > self._max_entries or (self._bytes > self._max_bytes and len(self) > 1):
            oldest = next(iter(self._entries))
            self._bytes -= self._size(self._entries.pop(oldest))
            self.dropped += 1
        return self._last_id

    def get(self, entry_id: int) -> T | None:
        """The entry, or None when it is no longer kept."""
        return self._entries.get(entry_id)

    def page(self, *, limit: int, before: int | None, only: Callable[[T], bool] | None = None) -> Page[T]:
        """The newest `limit` entries older than the id `before`, of those for which `only` is true."""
        if only is None:
            older, total = self._older_than(before), len(self)
        else:
            matching = [(key, entry) for key, entry in reversed(self._entries.items()) if only(entry)]
            older = ((key, entry) for key, entry in matching if before is None or key < before)
            total = len(matching)
        entries = [entry for _, entry in zip(range(limit), older, strict=False)]
        more = len(entries) == limit and next(older, None) is not None
        return Page(entries, total, entries[-1][0] if more else None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0
        self.dropped = 0

    def _older_than(self, before: int | None) -> Iterator[tuple[int, T]]:
        # Ids have no gaps, so the newest one wanted is found without a search.
        newest = self._last_id if before is None else min(self._last_id, before - 1)
        for key in range(newest, self._last_id - len(self._entries), -1):
            yield key, self._entries[key]

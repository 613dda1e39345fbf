"""Statements on several notifications, told between which ids to look.

The table is in parts by id. PostgreSQL can tell from two bounds, and not from a list of ids, which parts
a statement that it planned before has to open.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

_NIL = UUID(int=0)


class Span(NamedTuple):
    """Ids in order, each once, with the least and the greatest: three parameters of a statement."""

    ids: list[UUID]
    first: UUID
    last: UUID


def span_of(ids: Iterable[UUID]) -> Span:
    """The span of some ids. Of none it is a span in which nothing is found."""
    ordered = sorted(set(ids))
    return Span(ordered, ordered[0], ordered[-1]) if ordered else Span([], _NIL, _NIL)

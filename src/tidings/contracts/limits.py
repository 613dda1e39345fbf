"""What a caller is told about its limits."""

from typing import Literal

from tidings.contracts.base import Outgoing

LimitName = Literal["requests", "notifications", "recipient", "day"]


class LimitState(Outgoing, frozen=True, kw_only=True):
    """One limit: at most `quota` in `window` seconds, counted per API key or per recipient.

    `remaining` and `resets_in` (seconds) are null for what is counted per recipient, and while limits
    are not enforced.
    """

    name: LimitName
    per: Literal["key", "recipient"]
    quota: int
    window: int
    remaining: int | None = None
    resets_in: int | None = None


class Limits(Outgoing, frozen=True, kw_only=True):
    """A caller's limits. They are not enforced while Redis does not answer, or where there is none."""

    enforced: bool
    limits: list[LimitState]

"""What became of one attempt. Outcomes are returned, never raised, so that no record is rolled back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from tidings.contracts.codes import ErrorOwner, Reason


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A provider took the message. Kept in the ledger, so that a redelivery can report it again."""

    provider: str
    provider_ref: str | None = None
    detail: str | None = None
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A provider did not take the message, and who owns the reason.

    `retry_after` is in seconds, where the provider asked for it. `dead`: the provider is sure that
    the address or device is gone for good, so that nothing shall be sent to it again. Unless it is
    `provider_wide`, a throttle is about this one mailbox or device: no other provider would fare better.
    """

    provider: str
    owner: ErrorOwner
    detail: str
    retry_after: float | None = None
    dead: bool = False
    provider_wide: bool = True


Answer = Taken | Refused


@dataclass(frozen=True, slots=True)
class Held:
    """No provider may be tried now: breakers are open or budgets spent. It uses up no attempt.

    `after` is the least wait in seconds.
    """

    reason: Reason
    detail: str
    after: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A provider has it."""

    taken: Taken
    repeated: bool = False
    """Found in the ledger: an earlier delivery of the same message did the work."""
    again: "Retry | None" = None
    """Other devices of the same person are still to be tried."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is the least wait in seconds; without it the schedule decides.

    `counted=False` uses up no attempt: nothing reached a provider.
    """

    reason: Reason
    detail: str
    provider: str | None = None
    after: float | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """Never, as it stands: a retry would fail the same way."""

    reason: Reason
    detail: str
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The recipient does not want it, or must not get it."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time passed before it could be sent."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It was cancelled before anybody began to send it."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The body went out and no answer came: it may have arrived."""

    detail: str
    provider: str | None = None


Outcome = Sent | Retry | Failed | Suppressed | Expired | Cancelled | Ambiguous


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt; of each device too, by its key, where there are several."""

    outcome: Outcome
    targets: Mapping[str, Outcome] = field(default_factory=dict)

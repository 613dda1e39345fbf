"""The closed vocabularies: channels, priorities, states, who owns an error, and reasons."""

from enum import StrEnum


class Channel(StrEnum):
    """How a notification reaches a person."""

    EMAIL = "email"
    PUSH = "push"


class Priority(StrEnum):
    """Which traffic may wait for which."""

    CRITICAL = "critical"
    NORMAL = "normal"
    BULK = "bulk"


class Status(StrEnum):
    """Where a notification is in its life. The states after `parked` are settled."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RETRYING = "retrying"
    PARKED = "parked"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DEAD_LETTERED = "dead_lettered"

    @property
    def settled(self) -> bool:
        """Whether the outcome is known and recorded."""
        return self not in _WAITING_RANK

    def can_become(self, later: "Status", reason: "Reason | None" = None) -> bool:
        """Whether `later` may follow. State only moves forward, in whatever order reports arrive.

        `reason` is the present state's: what was given up without knowing whether it had arrived is
        still moved by a receipt, which knows.
        """
        if self.settled:
            return later in (_ARRIVALS if (self, reason) in _UNSURE else _RECEIPTS.get(self, ()))
        if later.settled:
            return True
        return _WAITING_RANK[later] >= _WAITING_RANK[self] and later is not self


_WAITING_RANK = {
    Status.ACCEPTED: 0,
    Status.SCHEDULED: 1,
    Status.QUEUED: 2,
    Status.RETRYING: 3,
    Status.PARKED: 3,
}
_ARRIVALS = (Status.DELIVERED, Status.BOUNCED)
_RECEIPTS = {
    Status.SENT: _ARRIVALS,
    Status.DELIVERED: (Status.BOUNCED,),
    # A worker without Redis cannot see a cancel, nor tell of its send; what a person has got is the truth.
    Status.CANCELLED: (Status.SENT, *_ARRIVALS),
}


class ErrorOwner(StrEnum):
    """Who has to act before a send can succeed; decides retry, failover, breaker and suppression."""

    RECIPIENT = "recipient"
    CONTENT = "content"
    CREDENTIAL = "credential"
    THROTTLE = "throttle"
    OUTAGE = "outage"
    AMBIGUOUS = "ambiguous"


class WhenAmbiguous(StrEnum):
    """What to do when a message may or may not have arrived: its body went out and no answer came."""

    RETRY = "retry"
    """Try again later with the same ids: at least once."""
    FAIL_OVER = "fail_over"
    """Try the next provider at once, else later: at least once, and soonest."""
    WAIT = "wait"
    """Give the provider's receipt some minutes; without one, try again."""
    GIVE_UP = "give_up"
    """Never send it twice: it fails as `outcome_unknown`."""


class Reached(StrEnum):
    """How far a notification got, each a surer sign than the one before that a person knows of it."""

    SENT = "sent"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    CLICKED = "clicked"


class Step(StrEnum):
    """What was decided on a notification's way, in `explain` and in dry runs; the names are kept stable."""

    IDEMPOTENCY = "idempotency"
    LIMITS = "limits"
    REQUEST = "request"
    DEDUPE = "dedupe"
    ACCEPTED = "accepted"
    SCHEDULE = "schedule"
    DISPATCH = "dispatch"
    LEDGER = "ledger"
    EXPIRY = "expiry"
    CONTACT = "contact"
    TEMPLATE = "template"
    SUPPRESSION = "suppression"
    CHANNEL_PREFERENCE = "channel_preference"
    CATEGORY_PREFERENCE = "category_preference"
    QUIET_HOURS = "quiet_hours"
    RENDER = "render"
    ATTACHMENTS = "attachments"
    ADDRESS = "address"
    FREQUENCY_CAP = "frequency_cap"
    PROVIDER = "provider"
    CLAIM = "claim"
    STATUS = "status"
    CHANNEL_SERVICE = "channel_service"
    REPLAY = "replay"
    FALLBACK = "fallback"
    DEAD_LETTER = "dead_letter"


class Verdict(StrEnum):
    """How one step went."""

    PASSED = "passed"
    STOPPED = "stopped"
    WAITS = "waits"
    SKIPPED = "skipped"
    """It did not apply, or was not used."""
    TRIED = "tried"
    UNKNOWN = "unknown"
    """Who could have said so did not answer."""


class Reason(StrEnum):
    """Why a notification is in its state: stable, for programs. The words for people stand beside it."""

    UNKNOWN_USER = "unknown_user"
    NO_EMAIL_ADDRESS = "no_email_address"
    NO_PUSH_TOKEN = "no_push_token"  # noqa: S105 - a reason, not a secret
    NO_PUSH_PROVIDER = "no_push_provider"
    CHANNEL_SWITCHED_OFF = "channel_switched_off"
    CATEGORY_SWITCHED_OFF = "category_switched_off"
    ADDRESS_SUPPRESSED = "address_suppressed"
    FREQUENCY_CAPPED = "frequency_capped"
    QUIET_HOURS = "quiet_hours"
    UNKNOWN_TEMPLATE = "unknown_template"
    TEMPLATE_LACKS_CHANNEL = "template_lacks_channel"
    RENDER_FAILED = "render_failed"
    RECIPIENT_REFUSED = "recipient_refused"
    CONTENT_REFUSED = "content_refused"
    CREDENTIAL_REFUSED = "credential_refused"
    PROVIDER_THROTTLED = "provider_throttled"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    SERVICE_UNAVAILABLE = "service_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    DELIVERY_LIMIT = "delivery_limit"
    HANDLER_FAILED = "handler_failed"
    MALFORMED_MESSAGE = "malformed_message"
    EXPIRED = "expired"
    BUDGET_SPENT = "budget_spent"
    ATTACHMENT_REFUSED = "attachment_refused"
    DEFERRED = "deferred"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    COMPLAINED = "complained"
    DISPLAYED = "displayed"
    CLICKED = "clicked"
    NOT_NEEDED = "not_needed"
    USER_ERASED = "user_erased"


_UNSURE = {(Status.FAILED, Reason.OUTCOME_UNKNOWN), (Status.DEAD_LETTERED, Reason.ATTEMPTS_EXHAUSTED)}

"""Whether a person wants this message, on this channel, now."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidings.contracts.codes import Channel, Priority, Reason, Step, Verdict
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.tracing import Trace
from tidings.contracts.users import Category, Contact, SuppressionReason
from tidings.delivery.outcome import Expired, Outcome, Retry, Suppressed
from tidings.delivery.quiet_hours import quiet_until
from tidings.kit.moments import written

DEFAULT_ZONE = ZoneInfo("UTC")
REQUIRED = "the category cannot be switched off"


def refusal(
    message: DeliveryMessage,
    contact: Contact,
    category: Category,
    channel: Channel,
    at: datetime,
    *,
    trace: Trace,
) -> Outcome | None:
    """Why the message must not be sent now; None when it may.

    What people cannot switch off ignores their preferences and an unsubscription, and is sent in
    quiet hours too, as critical messages are. A dead address and a complaint stop everything.
    """
    if channel is Channel.EMAIL and _is_suppressed(contact, category, trace):
        words = f"The address is on the suppression list: {contact.email_suppressed}"
        return Suppressed(Reason.ADDRESS_SUPPRESSED, words)
    if category.required:
        for step in (Step.CHANNEL_PREFERENCE, Step.CATEGORY_PREFERENCE, Step.QUIET_HOURS):
            trace.note(step, Verdict.SKIPPED, REQUIRED)
        return None
    if not getattr(contact.preferences, channel):
        trace.note(Step.CHANNEL_PREFERENCE, Verdict.STOPPED, channel)
        return Suppressed(Reason.CHANNEL_SWITCHED_OFF, f"The user switched {channel} off")
    trace.note(Step.CHANNEL_PREFERENCE, Verdict.PASSED, channel)
    if not category.wanted(contact.preferences, channel):
        trace.note(Step.CATEGORY_PREFERENCE, Verdict.STOPPED, category.id)
        words = f"The user does not want {category.id} by {channel}"
        return Suppressed(Reason.CATEGORY_SWITCHED_OFF, words)
    trace.note(Step.CATEGORY_PREFERENCE, Verdict.PASSED, category.id)
    if message.priority is Priority.CRITICAL:
        trace.note(Step.QUIET_HOURS, Verdict.SKIPPED, "it is critical")
        return None
    return _wait_for_quiet_to_end(message, contact, channel, at, trace)


def _is_suppressed(contact: Contact, category: Category, trace: Trace) -> bool:
    listed = contact.email_suppressed
    if listed is None:
        trace.note(Step.SUPPRESSION, Verdict.PASSED)
        return False
    if category.required and listed is SuppressionReason.UNSUBSCRIBE:
        trace.note(Step.SUPPRESSION, Verdict.SKIPPED, REQUIRED)
        return False
    trace.note(Step.SUPPRESSION, Verdict.STOPPED, listed)
    return True


def _wait_for_quiet_to_end(
    message: DeliveryMessage, contact: Contact, channel: Channel, at: datetime, trace: Trace
) -> Outcome | None:
    hours = [one for one in contact.preferences.quiet_hours if channel in one.channels]
    end = quiet_until(hours, _zone(contact), at) if hours else None
    if end is None:
        trace.note(Step.QUIET_HOURS, Verdict.PASSED)
        return None
    if message.expires_at is not None and message.expires_at <= end:
        trace.note(Step.QUIET_HOURS, Verdict.STOPPED, f"it expires before they end at {written(end)}")
        return Expired()
    trace.note(Step.QUIET_HOURS, Verdict.WAITS, f"until {written(end)}")
    words = f"The user's quiet hours end at {written(end)}"
    return Retry(Reason.QUIET_HOURS, words, after=(end - at).total_seconds(), counted=False)


def _zone(contact: Contact) -> ZoneInfo:
    try:
        return ZoneInfo(contact.time_zone) if contact.time_zone else DEFAULT_ZONE
    except (ZoneInfoNotFoundError, ValueError):
        return DEFAULT_ZONE

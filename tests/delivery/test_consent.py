"""Who gets what: preferences, the suppression list, and what cannot be switched off."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from support.parcels import new_message
from tidings.contracts.codes import Channel, Priority, Reason
from tidings.contracts.tracing import Trace
from tidings.contracts.users import (
    Category,
    ChannelChoice,
    Contact,
    Preferences,
    QuietHours,
    SuppressionReason,
)
from tidings.delivery.consent import refusal
from tidings.delivery.outcome import Expired, Outcome, Retry, Suppressed

AT = datetime(2026, 1, 10, 23, tzinfo=UTC)
MARKETING = Category(id="marketing", name="News")
SECURITY = Category(id="security", name="Security", required=True)
NIGHT = QuietHours(start="22:00", end="07:00")


def contact(**preferences: object) -> Contact:
    return Contact(
        user_id=uuid4(), preferences=msgspec.convert(msgspec.to_builtins(preferences), Preferences)
    )


def decide(
    person: Contact, category: Category = MARKETING, channel: Channel = Channel.EMAIL, **message: object
) -> Outcome | None:
    return refusal(new_message(channel, **message), person, category, channel, AT, trace=Trace())


def reason(outcome: Outcome | None) -> Reason | None:
    return outcome.reason if isinstance(outcome, Suppressed | Retry) else None


def test_who_said_nothing_gets_everything() -> None:
    """Without preferences, every category is sent on every channel."""
    assert [decide(contact(), MARKETING, channel) for channel in Channel] == [None, None]


def test_switched_off() -> None:
    """A channel or a category that is switched off stays silent, and says which it was."""
    assert reason(decide(contact(email=False))) is Reason.CHANNEL_SWITCHED_OFF
    no_marketing = contact(categories={"marketing": ChannelChoice(email=False)})
    assert reason(decide(no_marketing)) is Reason.CATEGORY_SWITCHED_OFF
    assert decide(no_marketing, MARKETING, Channel.PUSH) is None


def test_default_of_a_category() -> None:
    """A category that is off by default is sent to those who asked for it."""
    rare = Category(id="surveys", name="Surveys", email=False)
    assert reason(decide(contact(), rare)) is Reason.CATEGORY_SWITCHED_OFF
    assert decide(contact(categories={"surveys": ChannelChoice(email=True)}), rare) is None


def test_what_cannot_be_switched_off() -> None:
    """A required category ignores preferences, quiet hours and an unsubscription."""
    person = msgspec.structs.replace(
        contact(email=False, quiet_hours=[NIGHT]), email_suppressed=SuppressionReason.UNSUBSCRIBE
    )
    assert decide(person, SECURITY) is None


@pytest.mark.parametrize("why", [SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT])
def test_suppressed_address(why: SuppressionReason) -> None:
    """A dead address and a complaint stop even what is required; push is not touched."""
    person = msgspec.structs.replace(contact(), email_suppressed=why)
    assert reason(decide(person, SECURITY)) is Reason.ADDRESS_SUPPRESSED
    assert decide(person, SECURITY, Channel.PUSH) is None


def test_quiet_hours_wait() -> None:
    """In quiet hours a message waits until they end, and that uses up no attempt."""
    waiting = decide(contact(quiet_hours=[NIGHT]))
    assert isinstance(waiting, Retry)
    assert (waiting.reason, waiting.after, waiting.counted) == (Reason.QUIET_HOURS, 8 * 3600, False)


def test_quiet_hours_of_one_channel() -> None:
    """Quiet hours for push leave email alone."""
    person = contact(quiet_hours=[QuietHours(start="22:00", end="07:00", channels=(Channel.PUSH,))])
    assert decide(person) is None
    assert reason(decide(person, MARKETING, Channel.PUSH)) is Reason.QUIET_HOURS


def test_critical_does_not_wait() -> None:
    """A critical message is sent in quiet hours."""
    assert decide(contact(quiet_hours=[NIGHT]), priority=Priority.CRITICAL) is None


def test_what_would_expire_in_the_quiet() -> None:
    """A message that would expire before the quiet ends is expired at once."""
    assert decide(contact(quiet_hours=[NIGHT]), expires_at=AT + timedelta(hours=1)) == Expired()


def test_unknown_zone_is_utc() -> None:
    """Quiet hours of a person without a usable zone are read in UTC."""
    nowhere = msgspec.structs.replace(contact(quiet_hours=[NIGHT]), time_zone="Nowhere/At_All")
    assert reason(decide(nowhere)) is Reason.QUIET_HOURS

"""What a recipient may be like, and what that makes of a message: the table of rehearsals and traces."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from support.world import World
from tidings.contracts.codes import Priority, Reason, Status, Step, Verdict
from tidings.kit.ids import now

ALWAYS = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]

Arrange = Callable[[World, str], Awaitable[None]]


@dataclass(frozen=True)
class Situation:
    """What is arranged for a person, and how the message differs; then what decides it, and its end."""

    decides: tuple[Step, Verdict]
    ends: tuple[Status, Reason | None]
    arrange: Arrange | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)


def preferences(**wishes: object) -> Arrange:
    """The person has these preferences."""

    async def arrange(world: World, user_id: str) -> None:
        answer = await world.users.http.put(f"/users/{user_id}/preferences", json=wishes)
        answer.raise_for_status()

    return arrange


async def suppressed(world: World, user_id: str) -> None:
    """The person's address is on the suppression list."""
    person = (await world.users.http.get(f"/users/{user_id}")).json()
    body = {"email": person["email"], "reason": "hard_bounce", "source": "a test"}
    (await world.users.http.post("/suppressions", json=body)).raise_for_status()


async def no_address(world: World, user_id: str) -> None:
    """The person has no address any more."""
    answer = await world.users.http.patch(f"/users/{user_id}", json={"email": None})
    answer.raise_for_status()


def switched_off(step: Step, reason: Reason, arrange: Arrange, **changed: object) -> Situation:
    """A recipient who does not want it."""
    return Situation((step, Verdict.STOPPED), (Status.SUPPRESSED, reason), arrange, changed)


def failed(step: Step, reason: Reason, arrange: Arrange | None = None, **changed: object) -> Situation:
    """A message that can never be sent."""
    return Situation((step, Verdict.STOPPED), (Status.FAILED, reason), arrange, changed)


def sent(step: Step, verdict: Verdict, arrange: Arrange | None = None, **changed: object) -> Situation:
    """A message that is sent."""
    return Situation((step, verdict), (Status.SENT, None), arrange, changed)


async def add_templates(world: World) -> None:
    """The templates that the situations name: one of a category, and one without a form for email."""
    (await world.users.http.put("/categories/news", json={"name": "News"})).raise_for_status()
    await world.add_template("form-for-push", {"push": {"title": "Hello", "body": "Hello"}})
    content = {"en": {"email": {"subject": "News", "text": "None today"}}}
    await world.templates.add(
        "/templates", {"id": "news-of-a-category", "category": "news", "content": content}
    )


SITUATIONS = {
    "nothing is in the way": sent(Step.FREQUENCY_CAP, Verdict.SKIPPED),
    "there is room below the cap": sent(
        Step.FREQUENCY_CAP, Verdict.PASSED, preferences(frequency_caps=[{"most": 1, "per": "day"}])
    ),
    "it is critical at night": sent(
        Step.QUIET_HOURS, Verdict.SKIPPED, preferences(quiet_hours=ALWAYS), priority=Priority.CRITICAL
    ),
    "it was sent with a test key": sent(Step.RENDER, Verdict.PASSED, sandbox=True),
    "email is switched off": switched_off(
        Step.CHANNEL_PREFERENCE, Reason.CHANNEL_SWITCHED_OFF, preferences(email=False)
    ),
    "the category is switched off": switched_off(
        Step.CATEGORY_PREFERENCE,
        Reason.CATEGORY_SWITCHED_OFF,
        preferences(categories={"news": {"email": False}}),
        template_id="news-of-a-category",
    ),
    "the address is suppressed": switched_off(Step.SUPPRESSION, Reason.ADDRESS_SUPPRESSED, suppressed),
    "the cap is reached": switched_off(
        Step.FREQUENCY_CAP,
        Reason.FREQUENCY_CAPPED,
        preferences(frequency_caps=[{"most": 0, "per": "day"}]),
    ),
    "it is night": Situation(
        (Step.QUIET_HOURS, Verdict.WAITS),
        (Status.PARKED, Reason.QUIET_HOURS),
        preferences(quiet_hours=ALWAYS),
    ),
    "it expires at night": Situation(
        (Step.QUIET_HOURS, Verdict.STOPPED),
        (Status.EXPIRED, Reason.EXPIRED),
        preferences(quiet_hours=ALWAYS),
        {"expires_at": now() + timedelta(days=1)},
    ),
    "its time is over": Situation(
        (Step.EXPIRY, Verdict.STOPPED),
        (Status.EXPIRED, Reason.EXPIRED),
        changed={"expires_at": now() - timedelta(seconds=1)},
    ),
    "nobody has this id": failed(Step.CONTACT, Reason.UNKNOWN_USER, user_id=str(uuid4())),
    "no template has this id": failed(Step.TEMPLATE, Reason.UNKNOWN_TEMPLATE, template_id="no-such"),
    "the template is for push": failed(
        Step.RENDER, Reason.TEMPLATE_LACKS_CHANNEL, template_id="form-for-push"
    ),
    "a variable is missing": failed(Step.RENDER, Reason.RENDER_FAILED, variables={}),
    "there is no address": failed(Step.ADDRESS, Reason.NO_EMAIL_ADDRESS, no_address),
}

"""The sandbox: a whole life for an email that goes nowhere."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from support.parcels import new_message, parcel_of, ready
from support.reports import Reports
from tidings.contracts.codes import Channel, ErrorOwner, Reason, Status
from tidings.contracts.messages import Receipt
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.outcome import Refused, Taken
from tidings.email.letter import EmailParcel, Letter
from tidings.email.receipts.publishing import PublishReceipts
from tidings.email.sandbox import SandboxProvider, is_magic
from tidings.kit.addresses import SANDBOX_DOMAIN
from tidings.kit.broker.port import BrokerUnavailable

Remembered = Callable[[Sequence[Receipt | None]], Awaitable[None]]

LIVES = [
    ("delivered", [(Status.DELIVERED, None)]),
    ("bounced", [(Status.BOUNCED, Reason.HARD_BOUNCE)]),
    ("deferred", [(Status.SENT, Reason.DEFERRED), (Status.DELIVERED, None)]),
    ("complained", [(Status.DELIVERED, None), (Status.DELIVERED, Reason.COMPLAINED)]),
]


def parcel_for(address: str) -> EmailParcel:
    email = RenderedEmail(subject="Hello", text="Hello", html="<p>Hello</p>")
    return parcel_of(new_message(Channel.EMAIL), Letter(email), address)


@pytest.mark.parametrize(("name", "life"), LIVES)
async def test_a_magic_recipient_lives_its_life(
    name: str,
    life: list[tuple[Status, Reason | None]],
    publish: PublishReceipts,
    consumer: Reports,
) -> None:
    """The name before the @ says what becomes of the email after it was sent."""
    parcel = parcel_for(f"{name}@{SANDBOX_DOMAIN}")
    assert isinstance(await SandboxProvider(publish).send(parcel, ready), Taken)
    email = parcel.message.notification_id
    await consumer.next_of(email, after=len(life) - 1)
    steps = sorted(consumer.of(email), key=lambda event: event.at)
    assert [(event.status, event.reason) for event in steps] == life
    assert {event.provider for event in steps} == {"sandbox"}


async def test_any_other_address_gets_its_email(publish: PublishReceipts, consumer: Reports) -> None:
    """With a test key, whoever it is for: it counts as delivered, and nobody gets it."""
    parcel = parcel_for("ada@example.com")
    await SandboxProvider(publish).send(parcel, ready)
    assert (await consumer.next_of(parcel.message.notification_id)).status is Status.DELIVERED


async def test_a_repeated_send_repeats_the_same_events(
    publish: PublishReceipts, consumer: Reports, remembered: Remembered
) -> None:
    """A redelivered message does not live twice."""
    parcel, later = parcel_for(f"bounced@{SANDBOX_DOMAIN}"), parcel_for("ada@example.com")
    told: list[Receipt] = []

    async def publish_and_note(receipts: Sequence[Receipt]) -> None:
        told.extend(receipts)
        await publish(receipts)

    sandbox = SandboxProvider(publish_and_note)
    await sandbox.send(parcel, ready)
    await consumer.next_of(parcel.message.notification_id)
    await remembered(told)
    await sandbox.send(parcel, ready)
    await sandbox.send(later, ready)
    await consumer.next_of(later.message.notification_id)
    assert len(consumer.of(parcel.message.notification_id)) == 1


async def test_without_the_broker_it_is_an_outage() -> None:
    """What cannot be told is not taken, and is tried again."""

    async def publish(_receipts: object) -> None:
        raise BrokerUnavailable("it is away")

    answer = await SandboxProvider(publish).send(parcel_for("ada@example.com"), ready)
    assert isinstance(answer, Refused)
    assert answer.owner is ErrorOwner.OUTAGE


@pytest.mark.parametrize(
    ("address", "magic"),
    [
        ("delivered@simulator.tidings.test", True),
        ("Bounced+order-7@Simulator.Tidings.Test", True),
        ("someone@simulator.tidings.test", False),
        ("delivered@simulator.tidings.test.example.com", False),
        ("delivered@example.com", False),
        ("delivered", False),
    ],
)
def test_which_addresses_are_magic(address: str, magic: bool) -> None:  # noqa: FBT001 - a case of the test
    """Four names at a domain that cannot exist, with anything after a plus sign."""
    assert is_magic(address) is magic

"""What receipts do: to the suppression list and to the delivery ledger, in whatever order they come."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from support.reports import Reports
from support.world import World, fresh_address
from tidings.contracts.codes import Status
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.delivery.ledger import Ledger
from tidings.delivery.outcome import Cancelled, Taken
from tidings.email.receipts.publishing import PublishReceipts
from tidings.gateway.cancelling.ledger import CancelLedger
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

HARD, SOFT, DELIVERED = ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE, ReceiptKind.DELIVERED
START = now() - timedelta(hours=1)

Apply = Callable[..., Awaitable[None]]


def receipt(kind: ReceiptKind, address: str | None = None, **changed: object) -> Receipt:
    known = {
        "event_id": uuid4().hex,
        "kind": kind,
        "notification_id": uuid4(),
        "at": START,
        "provider": "relay",
        "address": address,
        "detail": "550 5.1.1 no such user",
    }
    return Receipt(**{**known, **changed})  # type: ignore[arg-type] # the caller's values fit


@pytest.fixture
def apply(publish: PublishReceipts, consumer: Reports) -> Apply:
    """Publishes receipts one after the other, each when the one before has taken effect."""

    async def one_by_one(*receipts: Receipt) -> None:
        for one in receipts:
            known = len(consumer.of(one.notification_id))
            await publish([one])
            await consumer.next_of(one.notification_id, after=known)

    return one_by_one


async def suppressed(world: World, address: str) -> list[tuple[str, str]]:
    """The reason and the source of each entry that holds."""
    answer = await world.users.http.get("/suppressions", params={"email": address})
    return [(entry["reason"], entry["source"]) for entry in answer.json()["suppressions"]]


async def test_a_hard_bounce_puts_the_address_on_the_suppression_list(
    world: World, apply: Apply, address: str
) -> None:
    """With the words of the server that refused it."""
    await apply(receipt(HARD, address))
    assert await suppressed(world, address) == [("hard_bounce", "relay: 550 5.1.1 no such user")]


async def test_a_complaint_puts_the_address_on_the_suppression_list(
    world: World, apply: Apply, address: str
) -> None:
    """Who complained is not written to again, and no later delivery changes that."""
    await apply(receipt(ReceiptKind.COMPLAINT, address), receipt(DELIVERED, address, at=now()))
    assert [reason for reason, _ in await suppressed(world, address)] == ["complaint"]


async def test_a_receipt_without_an_address_suppresses_nobody(
    world: World, apply: Apply, consumer: Reports
) -> None:
    """The notification still gets its step."""
    words = f"550 {uuid4().hex}"
    bounced = receipt(HARD, detail=words)
    await apply(bounced)
    assert consumer.steps(bounced.notification_id) == [(Status.BOUNCED, 0)]
    listed = (await world.users.http.get("/suppressions")).json()["suppressions"]
    assert not any(words in entry["source"] for entry in listed)


async def test_a_later_delivery_clears_the_address(world: World, apply: Apply, address: str) -> None:
    """An address that takes email is not dead."""
    await apply(receipt(HARD, address), receipt(DELIVERED, address, at=START + timedelta(minutes=1)))
    assert await suppressed(world, address) == []


@pytest.mark.parametrize("together", [True, False])
async def test_an_earlier_delivery_told_late_clears_nothing(
    *,
    together: bool,
    world: World,
    publish: PublishReceipts,
    apply: Apply,
    consumer: Reports,
    address: str,
) -> None:
    """A bounce may follow a delivery, and be told before it: what happened last counts."""
    bounce = receipt(HARD, address, at=START + timedelta(minutes=1))
    delivery = receipt(DELIVERED, address)
    if together:
        await publish([bounce, delivery])
        await consumer.next_of(delivery.notification_id)
    else:
        await apply(bounce, delivery)
    assert [reason for reason, _ in await suppressed(world, address)] == ["hard_bounce"]


async def test_three_soft_bounces_in_a_week_make_an_address_dead(
    world: World, apply: Apply, address: str
) -> None:
    """Two are bad luck; of the third on, the address counts as dead, and the entry says why."""
    await apply(receipt(SOFT, address), receipt(SOFT, address))
    assert await suppressed(world, address) == []
    await apply(receipt(SOFT, address.upper()))
    ((reason, source),) = await suppressed(world, address)
    assert reason == "hard_bounce"
    assert source.startswith("3 soft bounces within 7 days")


@pytest.mark.parametrize(
    "times",
    [
        [START - timedelta(days=8), START - timedelta(days=7, hours=1), START],
        [START, START, START - timedelta(days=8)],
    ],
)
async def test_soft_bounces_of_other_weeks_do_not_count(
    times: list[datetime], world: World, apply: Apply, address: str
) -> None:
    """The week is the last one, in whatever order they are told."""
    await apply(*[receipt(SOFT, address, at=at) for at in times])
    assert await suppressed(world, address) == []


async def test_one_email_counts_once(world: World, apply: Apply, address: str, consumer: Reports) -> None:
    """Three reports about the same email are one soft bounce."""
    email = uuid4()
    await apply(*[receipt(SOFT, address, notification_id=email, at=START) for _ in range(3)])
    assert await suppressed(world, address) == []
    assert {event.status for event in consumer.of(email)} == {Status.BOUNCED}


async def test_a_delivery_ends_the_count(world: World, apply: Apply, address: str) -> None:
    """A mailbox that takes email in between is not ailing."""
    soon = START + timedelta(minutes=1)
    await apply(receipt(SOFT, address), receipt(SOFT, address), receipt(DELIVERED, address, at=soon))
    await apply(receipt(SOFT, address, at=soon + timedelta(minutes=1)))
    assert await suppressed(world, address) == []


async def test_soft_bounces_that_are_not_the_mailboxs_fault_do_not_count(
    world: World, apply: Apply, address: str
) -> None:
    """While we are on a block list every email bounces, and nobody is suppressed for it."""
    await apply(*[receipt(SOFT) for _ in range(5)])
    assert await suppressed(world, address) == []


async def test_an_address_that_is_none_holds_up_nothing(apply: Apply, consumer: Reports) -> None:
    """Providers report addresses that the user service would never take."""
    bounced = receipt(HARD, "no address at all")
    await apply(bounced)
    assert consumer.steps(bounced.notification_id) == [(Status.BOUNCED, 0)]


async def test_receipts_of_the_sandbox_suppress_nobody(world: World, apply: Apply, address: str) -> None:
    """Tests with a real address do not keep real email from it."""
    await apply(
        receipt(HARD, address, provider="sandbox"),
        receipt(ReceiptKind.COMPLAINT, address, provider="sandbox"),
    )
    assert await suppressed(world, address) == []


@pytest.mark.parametrize("kind", list(ReceiptKind))
async def test_a_receipt_ends_doubt(kind: ReceiptKind, apply: Apply, ledger: Ledger) -> None:
    """Whatever is heard of an email proves that it was taken: a waiting retry will not send it again."""
    told = receipt(kind, fresh_address(), provider_ref="their-id")
    await ledger.claim(told.notification_id, "email", "relay")
    await ledger.release(told.notification_id, "email", unsure="relay")
    await apply(told)
    assert await taken(ledger, told.notification_id) == Taken(
        provider="relay", provider_ref="their-id", at=told.at
    )


async def test_a_known_send_stays_as_it_was_recorded(apply: Apply, ledger: Ledger) -> None:
    """The provider's own yes says more than the receipt, and the time between the two is measured."""
    told = receipt(DELIVERED, fresh_address(), provider="measured", at=now())
    known = Taken(provider="measured", detail="250 ok", at=told.at - timedelta(seconds=2))
    await ledger.record(told.notification_id, "email", known)
    await apply(told)
    assert await taken(ledger, told.notification_id) == known
    measured = REGISTRY.get_sample_value("tidings_sent_to_delivered_seconds_sum", {"provider": "measured"})
    assert measured == 2


async def test_a_receipt_of_what_was_cancelled(world: World, apply: Apply, ledger: Ledger) -> None:
    """An email that got past its cancel was sent all the same, and its receipt says so like any other."""
    told = receipt(DELIVERED, fresh_address())
    async with open_redis(world.cache_url) as redis:
        assert await CancelLedger(redis).bar([told.notification_id]) == {told.notification_id: True}
    await apply(told)
    assert await taken(ledger, told.notification_id) == Taken(provider="relay", at=told.at)


async def taken(ledger: Ledger, notification_id: UUID) -> object:
    history = await ledger.history(notification_id)
    return history if isinstance(history, Cancelled) else history.get("email")

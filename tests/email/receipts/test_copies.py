"""Webhooks about emails with copies (cc, bcc): what happens to a copy is no word about the notification."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from support.polling import eventually
from support.reports import Reports
from support.signed_webhooks import Happening, Sender
from support.world import World, fresh_address
from tidings.contracts.codes import Status
from tidings.contracts.messages import ReceiptKind
from tidings.email.references import read_reference, write_reference
from tidings.email.return_path import ReturnPath
from tidings.kit.ids import now

PROVIDERS = ["sendgrid", "ses", "postmark", "mailgun", "resend"]
NO_ONE = "0198c0de-0000-7000-8000-000000000000"
SUPPRESSES = {ReceiptKind.HARD_BOUNCE: ["hard_bounce"], ReceiptKind.COMPLAINT: ["complaint"]}


Report = Callable[[str, ReceiptKind, str, str], Awaitable[None]]


@pytest.fixture
def report(senders: Mapping[str, Sender], http: httpx.AsyncClient, consumer: Reports) -> Report:
    """Lets a provider report one event about one address, until it is applied in full."""

    async def report(name: str, kind: ReceiptKind, reference: str, address: str) -> None:
        labels = {"provider": name, "kind": str(kind)}

        def applied() -> float:
            return REGISTRY.get_sample_value("tidings_receipts_total", labels) or 0.0

        before = applied()
        posted = senders[name].post(Happening(kind, reference, address, now(), uuid4().hex), now())
        answer = await http.post(f"/webhooks/{name}", content=posted.body, headers=dict(posted.headers))
        assert answer.status_code == 200, answer.text
        await eventually(lambda: applied() > before)

    del consumer  # it runs
    return report


async def reasons(world: World, address: str) -> list[str]:
    """Why the address is on the suppression list."""
    listed = (await world.users.http.get("/suppressions", params={"email": address})).json()
    return [entry["reason"] for entry in listed["suppressions"]]


@pytest.mark.parametrize("kind", list(ReceiptKind))
@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_happens_to_a_copy(
    *,
    name: str,
    kind: ReceiptKind,
    report: Report,
    consumer: Reports,
    world: World,
    paths: ReturnPath,
    address: str,
) -> None:
    """It may suppress the copy's own address; the notification has only what happened to the person."""
    notification_id, copy = uuid4(), fresh_address()
    reference = write_reference(notification_id, address, paths)
    await report(name, kind, reference, copy)
    await report(name, ReceiptKind.DELIVERED, reference, address)
    await consumer.settled(notification_id)
    assert consumer.steps(notification_id) == [(Status.DELIVERED, 0)]
    assert await reasons(world, copy) == SUPPRESSES.get(kind, [])
    assert await reasons(world, address) == []


@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_happens_to_the_person(
    *,
    name: str,
    report: Report,
    consumer: Reports,
    world: World,
    paths: ReturnPath,
    address: str,
) -> None:
    """A bounce of the person's own is the notification's, however the provider spells the address."""
    notification_id = uuid4()
    reference = write_reference(notification_id, address, paths)
    await report(name, ReceiptKind.HARD_BOUNCE, reference, address.upper())
    await consumer.settled(notification_id)
    assert consumer.steps(notification_id) == [(Status.BOUNCED, 0)]
    # Resend names the person even when a copy bounced, so that it proves nothing about the address.
    assert await reasons(world, address) == ([] if name == "resend" else ["hard_bounce"])


@pytest.mark.parametrize(
    "text", [None, 7, "", "order-4711", f"{NO_ONE}_", f"{NO_ONE}_xyz", f"{NO_ONE}_0123456g", "-" * 36]
)
def test_what_is_no_reference(text: object, paths: ReturnPath) -> None:
    """Data of others in the same place are not ours, whatever they hold."""
    assert read_reference(text, paths) is None


def test_an_email_without_copies_has_none(paths: ReturnPath) -> None:
    """Where only the person was written to, every address reported means the person: mail is forwarded."""
    notification_id = uuid4()
    reference = read_reference(write_reference(notification_id, None, paths), paths)
    assert reference is not None
    assert reference.notification_id == notification_id
    assert not reference.is_copy("elsewhere@example.com")

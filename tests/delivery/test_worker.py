"""The email service as a process, fed by the broker: from published messages to reported ends."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from delivery.conftest import MAX_ATTEMPTS, NewMessage
from delivery.outside import TRACEPARENT, emails_to, misbehave, publish
from simulator.running import Simulator
from support.polling import eventually
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Broker


@pytest.fixture(scope="module")
async def worker(settings: EmailSettings) -> AsyncIterator[ServiceProcess]:
    """The email service that the tests share."""
    async with service_process("email", settings) as worker:
        yield worker


@pytest.mark.usefixtures("worker")
async def test_messages_become_emails(
    broker: Broker, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A hundred messages are a hundred emails, each reported as sent."""
    messages = [new_message(variables={"name": f"Ada {number}"}) for number in range(100)]
    await publish(broker, *messages)
    ends = [await reports.settled(message.notification_id) for message in messages]
    subjects = [email["subject"] for email in await emails_to(simulator, address)]
    assert {end.status for end in ends} == {Status.SENT}
    assert sorted(subjects) == sorted(f"Welcome, Ada {number}" for number in range(100))


@pytest.mark.usefixtures("worker")
async def test_copies_in_the_queue_are_one_email(
    broker: Broker, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A message that was published five times goes out once."""
    message = new_message()
    await publish(broker, *[message] * 5)
    await eventually(
        lambda: [step for step, _ in reports.steps(message.notification_id)].count(Status.SENT) == 5
    )
    assert len(await emails_to(simulator, address)) == 1


@pytest.mark.usefixtures("worker")
async def test_retries_end_in_a_dead_letter(
    broker: Broker, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """After the last 451 that the settings allow, the message lies whole on the failed queue."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451, "match": address})
    await publish(broker, message)
    await reports.settled(message.notification_id)
    identity = str(message.notification_id)
    await eventually(lambda: identity in reports.dead_letters)

    assert reports.steps(message.notification_id) == [
        *((Status.RETRYING, attempt) for attempt in range(1, MAX_ATTEMPTS)),
        (Status.DEAD_LETTERED, MAX_ATTEMPTS),
    ]
    (letter,) = reports.dead_letters[identity]
    assert msgspec.json.decode(letter.body, type=DeliveryMessage) == message
    assert letter.headers["x-reason"] == Reason.ATTEMPTS_EXHAUSTED
    assert "451 4.3.0" in letter.headers["x-detail"]
    assert (letter.headers["x-queue"], letter.headers["x-correlation-id"]) == (EMAIL_QUEUE, "order-7")
    assert letter.headers["traceparent"].startswith(TRACEPARENT[:36])


@pytest.mark.usefixtures("worker")
async def test_a_passing_fault_is_survived(
    broker: Broker, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """One 451 and one dropped connection later the email is sent, at the third attempt."""
    message = new_message()
    faults: list[dict[str, object]] = [{"smtp_code": 451}, {"drop_connection": True}]
    await misbehave(simulator, *({**fault, "times": 1, "match": address} for fault in faults))
    await publish(broker, message)
    await reports.settled(message.notification_id)
    assert reports.steps(message.notification_id) == [
        (Status.RETRYING, 1),
        (Status.RETRYING, 2),
        (Status.SENT, 3),
    ]
    assert len(await emails_to(simulator, address)) == 1

"""The bounce mailbox on its port: whom it takes mail for, and when it says yes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

import aiosmtplib
import pytest

from support.bounce_mails import OUT_OF_OFFICE, delivery_report, failure
from support.ports import free_port
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.email.bounces.mailbox import MAX_CONNECTIONS, MAX_MAIL_BYTES, MAX_RECIPIENTS, bounce_mailbox
from tidings.email.receipts.publishing import PublishReceipts
from tidings.email.return_path import ReturnPath
from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.settings import SettingsError

ADDRESS = "ada@example.com"
PATHS = ReturnPath("a secret", "bounces.example.com", "hello@example.com")


class Published:
    """Receipts that were made durable."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    async def __call__(self, receipts: Sequence[Receipt]) -> None:
        self.receipts.extend(receipts)


@asynccontextmanager
async def listening(publish: PublishReceipts) -> AsyncIterator[int]:
    """The port of a bounce mailbox."""
    port = free_port()
    async with bounce_mailbox(PATHS, publish, host="127.0.0.1", port=port, hostname="bounces.example.com"):
        yield port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[aiosmtplib.SMTP]:
    """A mail server that has something to report."""
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, timeout=20)
    await smtp.connect()
    try:
        yield smtp
    finally:
        smtp.close()


@pytest.fixture
def published() -> Published:
    """What the mailbox made of its mail."""
    return Published()


@pytest.fixture
async def smtp(published: Published) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connection to a mailbox that can publish."""
    async with listening(published) as port, connected(port) as smtp:
        yield smtp


def path_of(email: UUID) -> str:
    return PATHS.of(email, ADDRESS)


async def test_a_bounce_becomes_a_receipt(smtp: aiosmtplib.SMTP, published: Published) -> None:
    """The token says which email it was, and the report what became of it."""
    email = uuid4()
    await smtp.sendmail("", path_of(email), delivery_report(failure(ADDRESS)))
    (receipt,) = published.receipts
    assert (receipt.notification_id, receipt.kind) == (email, ReceiptKind.HARD_BOUNCE)
    assert receipt.address == ADDRESS


async def test_letter_case_of_the_path_does_not_matter(smtp: aiosmtplib.SMTP, published: Published) -> None:
    """Some servers shout."""
    email = uuid4()
    await smtp.sendmail("", path_of(email).upper(), delivery_report(failure(ADDRESS)))
    assert [receipt.notification_id for receipt in published.receipts] == [email]


@pytest.mark.parametrize(
    "address",
    [
        "someone@bounces.example.com",
        "someone@example.org",
        "b+aaaa@bounces.example.com",
        ReturnPath("a guess", "bounces.example.com", "").of(UUID(int=1), ADDRESS),
    ],
)
async def test_it_takes_mail_for_nobody_else(address: str, smtp: aiosmtplib.SMTP) -> None:
    """It relays nothing, and a guessed token is answered like any unknown mailbox."""
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await smtp.sendmail("", address, b"Subject: hello\r\n\r\nhello")
    (refusal,) = refused.value.recipients
    assert (refusal.code, refusal.message) == (550, "5.1.1 No such mailbox here")


async def test_auto_replies_are_taken_and_dropped(smtp: aiosmtplib.SMTP, published: Published) -> None:
    """A person who is out of office bounced nothing, and their server hears no error."""
    _, answer = await smtp.sendmail("", path_of(uuid4()), OUT_OF_OFFICE)
    assert answer.startswith("2.0.0")
    assert published.receipts == []


async def test_what_is_not_durable_is_not_taken() -> None:
    """While the broker is away the reporting server keeps its mail and tries again."""

    async def publish(_receipts: Sequence[Receipt]) -> None:
        raise BrokerUnavailable("it is away")

    async with listening(publish) as port, connected(port) as smtp:
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await smtp.sendmail("", path_of(uuid4()), delivery_report(failure(ADDRESS)))
    assert refused.value.code == 451


async def test_a_mail_beyond_the_limit_is_refused(smtp: aiosmtplib.SMTP, published: Published) -> None:
    """A report that brings the whole email back does not fill the memory."""
    mail = delivery_report(failure(ADDRESS)) + b"\r\n" + b"x" * 60 * 1024 * 20
    assert len(mail) > MAX_MAIL_BYTES
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await smtp.sendmail("", path_of(uuid4()), mail)
    assert refused.value.code == 552
    assert published.receipts == []


async def test_recipients_beyond_the_limit_come_in_another_mail(smtp: aiosmtplib.SMTP) -> None:
    """A report is for one email; a few at once are taken, hundreds are not."""
    paths = [path_of(uuid4()) for _ in range(MAX_RECIPIENTS + 1)]
    refused, _ = await smtp.sendmail("", paths, OUT_OF_OFFICE)
    assert {code for code, _ in refused.values()} == {452}
    assert len(refused) == 1


async def test_connections_are_bounded(published: Published) -> None:
    """Beyond the limit a server is asked to come again, and room that is given back is used."""
    async with listening(published) as port, AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connected(port)) for _ in range(MAX_CONNECTIONS)]
        with pytest.raises(aiosmtplib.SMTPConnectResponseError, match="Too many connections"):
            await stack.enter_async_context(connected(port))
        await held[0].quit()
        async with asyncio.timeout(20):
            while True:
                try:
                    await stack.enter_async_context(connected(port))
                except aiosmtplib.SMTPConnectResponseError:
                    continue
                return


async def test_a_port_that_is_taken_is_told() -> None:
    """The service does not start without its mailbox, and says which port it wanted."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=str(port)):
            async with bounce_mailbox(PATHS, Published(), host="127.0.0.1", port=port, hostname="a.example"):
                pass

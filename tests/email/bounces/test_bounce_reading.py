"""What a mail to a return path says, and what it cannot say."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.bounce_mails import OUT_OF_OFFICE, complaint, delivery_report, failure
from tidings.contracts.messages import ReceiptKind
from tidings.email.bounces.reading import MAX_PARTS, read_bounce
from tidings.email.return_path import Bounced, ReturnPath

ADDRESS = "ada@example.com"
EMAIL = uuid4()
HARD, SOFT = ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE


def path_of(address: str = ADDRESS) -> Bounced:
    paths = ReturnPath("a secret", "bounces.example.com", "hello@example.com")
    bounced = paths.read(paths.of(EMAIL, address))
    assert bounced is not None
    return bounced


def told(mail: bytes) -> list[tuple[ReceiptKind, str | None]]:
    return [(receipt.kind, receipt.address) for receipt in read_bounce(mail, path_of())]


@pytest.mark.parametrize(
    ("status", "diagnostic", "expected"),
    [
        ("5.1.1", "smtp; 550 5.1.1 <ada@example.com>: no such user", (HARD, ADDRESS)),
        ("5.2.1", "smtp; 550 mailbox disabled", (HARD, ADDRESS)),
        ("5.0.0", "smtp; 550 5.1.1 unknown", (HARD, ADDRESS)),
        ("5.0.0", "smtp; 550 go away", (SOFT, ADDRESS)),
        ("5.2.2", "smtp; 552 5.2.2 over quota", (SOFT, ADDRESS)),
        ("4.2.2", "smtp; 452 4.2.2 over quota", (SOFT, ADDRESS)),
        ("4.4.7", "smtp; delivery time expired", (SOFT, None)),
        ("4.1.1", "smtp; 450 4.1.1 try later", (SOFT, ADDRESS)),
        ("5.7.1", "smtp; 550 5.7.1 on a block list", (SOFT, None)),
        ("5.7.26", "smtp; 550 5.7.26 unauthenticated", (SOFT, None)),
        ("5.3.4", "smtp; 552 too large", (SOFT, None)),
        ("", "", (SOFT, None)),
    ],
)
def test_a_failure_is_classified_by_its_status(
    status: str, diagnostic: str, expected: tuple[ReceiptKind, str | None]
) -> None:
    """Only a mailbox that is surely gone is a hard bounce, and only what it is to blame for counts."""
    assert told(delivery_report(failure(ADDRESS, status=status, diagnostic=diagnostic))) == [expected]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("delivered", [(ReceiptKind.DELIVERED, ADDRESS)]),
        ("Delayed", [(ReceiptKind.DEFERRED, None)]),
        ("relayed", []),
        ("expanded", []),
        ("unheard-of", []),
    ],
)
def test_an_action_says_what_happened(action: str, expected: list[tuple[ReceiptKind, str | None]]) -> None:
    """What was handed on to a server that reports nothing stays `sent`."""
    assert told(delivery_report(failure(ADDRESS, action=action, status="2.0.0", diagnostic="-"))) == expected


def test_a_forwarded_address_is_known_by_its_original() -> None:
    """Where Ada's mail is forwarded to is not what we wrote to, and is never suppressed."""
    elsewhere = "ada@forward.example.net"
    assert told(delivery_report(failure(elsewhere, original=ADDRESS))) == [(HARD, ADDRESS)]
    assert told(delivery_report(failure(elsewhere))) == [(HARD, None)]


@pytest.mark.parametrize("written", ["jörg@example.com", r"j\x{F6}rg@example.com"])
def test_addresses_in_any_script_are_known(written: str) -> None:
    """A report about an internationalised address (RFC 6533) is read like any other."""
    block = failure(written).replace("rfc822;", "utf-8;")
    mail = delivery_report(block).replace(b"message/delivery-status", b"message/global-delivery-status")
    (receipt,) = read_bounce(mail, path_of("jörg@example.com"))
    assert (receipt.kind, receipt.address) == (HARD, "jörg@example.com")


def test_another_recipient_of_the_same_email_is_not_ours_to_report() -> None:
    """A copy that bounced says nothing about the person the notification is for."""
    block = failure("boss@example.com", original="boss@example.com")
    assert told(delivery_report(block)) == []
    assert told(delivery_report(block, failure(ADDRESS, original=ADDRESS))) == [(HARD, ADDRESS)]


def test_a_repeated_report_is_the_same_event() -> None:
    """A mail server that did not hear our yes sends again, and is folded."""
    mail = delivery_report(failure(ADDRESS))
    (first,), (second,) = read_bounce(mail, path_of()), read_bounce(mail, path_of())
    assert first.event_id == second.event_id
    assert first.notification_id == EMAIL


@pytest.mark.parametrize(
    ("kind", "named", "expected"),
    [
        ("abuse", (ADDRESS,), [(ReceiptKind.COMPLAINT, ADDRESS)]),
        ("abuse", (), [(ReceiptKind.COMPLAINT, None)]),
        ("abuse", ("grace@example.com",), []),
        ("not-spam", (ADDRESS,), []),
        ("auth-failure", (ADDRESS,), []),
    ],
)
def test_complaints(
    kind: str, named: tuple[str, ...], expected: list[tuple[ReceiptKind, str | None]]
) -> None:
    """A feedback report (RFC 5965) is a complaint when a person made it."""
    assert told(delivery_report(complaint(kind, *named), kind="feedback-report")) == expected


@pytest.mark.parametrize(
    "mail",
    [
        OUT_OF_OFFICE,
        b"",
        b"\0" * 100,
        b"Content-Type: multipart/report\r\n\r\nno parts at all",
        b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n",
        b"Content-Type: multipart/report; boundary=\xff\xfe\r\n\r\n--\xff\xfe\r\n",
        delivery_report(failure(r"\x{D800}@example.com")),
        delivery_report(failure(r"\x{FFFFFF}@example.com")),
        b"Content-Type: message/rfc822\r\n\r\n" * (MAX_PARTS + 5) + delivery_report(failure(ADDRESS)),
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(20_000)
        ),
    ],
)
def test_what_is_no_report_says_nothing(mail: bytes) -> None:
    """Auto-replies, rubbish and traps are read to their end, and nothing comes of them."""
    assert told(mail) in ([], [(SOFT, None)])


def test_a_long_returned_email_hides_no_report() -> None:
    """The report comes first; what it returns is not read to its end."""
    assert told(delivery_report(failure(ADDRESS)) + b"\r\nHello" * 50_000) == [(HARD, ADDRESS)]


def test_a_report_inside_the_returned_email_is_not_believed() -> None:
    """What we sent may hold anything; a report is what the mail itself is."""
    inner = delivery_report(failure(ADDRESS)).decode()
    mail = f"Subject: Fwd\r\nContent-Type: message/rfc822\r\n\r\n{inner}".encode()
    assert told(mail) == []


def test_only_the_first_recipients_are_read() -> None:
    """A report of a thousand recipients about an email to one is an attack."""
    blocks = [failure(ADDRESS, diagnostic=f"smtp; {number}") for number in range(1000)]
    assert len(told(delivery_report(*blocks))) <= 20


@given(st.binary(max_size=2_000))
def test_no_bytes_at_all_make_it_raise(mail: bytes) -> None:
    """Whatever a stranger sends is read without an error."""
    read_bounce(mail, path_of())


@given(
    st.lists(
        st.builds(
            lambda name, value: f"{name}: {value}",
            st.sampled_from(
                ["Action", "Status", "Final-Recipient", "Original-Recipient", "Diagnostic-Code", "X"]
            ),
            st.text(max_size=60) | st.sampled_from(["failed", "delivered", f"rfc822; {ADDRESS}", "5.1.1"]),
        ),
        max_size=12,
    )
)
def test_no_report_names_an_address_that_we_did_not_write_to(fields: list[str]) -> None:
    """However a report is put together, it speaks of the email's own address or of none."""
    for receipt in read_bounce(delivery_report("\n".join(fields)), path_of()):
        assert receipt.notification_id == EMAIL
        assert receipt.address in {None, ADDRESS} or path_of().fits(receipt.address or "")
        assert "\0" not in (receipt.detail or "")

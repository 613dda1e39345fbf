"""One behaviour for all email providers, each against the simulator speaking its protocol."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulator.running import Simulator
from support.answering import answering
from support.email_providers import (
    HTTP_KINDS,
    KINDS,
    PATHS,
    Sending,
    config_of,
    parcel,
    sending,
    with_wrong_credentials,
)
from support.polling import eventually
from support.ports import free_port
from tidings.contracts.codes import ErrorOwner
from tidings.contracts.messages import EmailParts
from tidings.delivery.outcome import Answer, Taken
from tidings.delivery.providers_file import ProviderConfig
from tidings.email.dkim import DkimSigner
from tidings.email.letter import File
from tidings.email.references import read_reference
from tidings.kit.settings import SettingsError

LOGO = File("logo.png", "image/png", b"\x89PNG logo", "logo")
REPORT = File("Bericht März.pdf", "application/pdf", b"%PDF-1.7 " + bytes(range(256)))
MIB = 1024 * 1024
PATIENCE = 5.0
"""Seconds for an answer: enough to connect and hand the email over, which have to be done by then."""
KEEPS_OUR_MESSAGE_ID = {"smtp", "sendgrid", "ses", "postmark", "mailgun"}


@dataclass(frozen=True)
class Outside:
    """One provider's side of the simulator."""

    kind: str
    simulator: Simulator

    def config(self, **changed: object) -> ProviderConfig:
        url = f"{str(self.simulator.http.base_url).rstrip('/')}/{self.kind}"
        return config_of(self.kind, url=url, smtp_port=self.simulator.smtp_port, **changed)

    def patient_for(self, seconds: float) -> ProviderConfig:
        """A config that waits so long for the answer to a message."""
        field = "data_seconds" if self.kind == "smtp" else "seconds"
        return self.config(**{field: seconds})

    async def misbehave(self, smtp: Mapping[str, object], http: Mapping[str, object]) -> None:
        """Put the fault in force that fits the protocol."""
        fault = {"provider": self.kind, **(smtp if self.kind == "smtp" else http)}
        answer = await self.simulator.http.put("/api/faults", json=[fault])
        assert answer.status_code == 200, answer.text

    async def inbox(self) -> list[dict[str, Any]]:
        page = (await self.simulator.http.get("/api/inbox")).json()
        messages: list[dict[str, Any]] = page["messages"]
        return messages

    async def arrived(self) -> tuple[dict[str, Any], EmailMessage]:
        """The one email in the inbox: what the simulator says of it, and the standard parser's reading."""
        [summary] = await self.inbox()
        raw = await self.simulator.http.get(f"/api/inbox/{summary['id']}/raw")
        message = message_from_bytes(raw.content, policy=default)
        assert isinstance(message, EmailMessage)
        return summary, message


@pytest.fixture(params=KINDS)
def outside(request: pytest.FixtureRequest, simulator: Simulator) -> Outside:
    """Each provider in turn."""
    return Outside(request.param, simulator)


def body_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.strip()


async def test_an_email_arrives(outside: Outside) -> None:
    """Subject, names, both bodies and one claim: what the template says is what comes out."""
    async with sending(outside.config()) as desk:
        taken = await desk.send(parcel(name='Ada "Countess" 洛芙莱斯, Ph.D.'))
    assert isinstance(taken, Taken), taken
    summary, message = await outside.arrived()
    assert (taken.provider, desk.claims, summary["to"]) == ("main", 1, ["ada@example.com"])
    assert message["Subject"] == "Grüße 你好"
    [to] = message["To"].addresses
    assert (to.display_name, to.addr_spec) == ('Ada "Countess" 洛芙莱斯, Ph.D.', "ada@example.com")
    [sender] = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Tidings", "hello@mail.example.com")
    assert body_of(message, "plain") == "Grüße"
    assert body_of(message, "html") == '<p>Grüße <img src="cid:logo"></p>'


async def test_headers(outside: Outside) -> None:
    """Custom headers, reply-to and one-click unsubscribing go along, on one line each."""
    async with sending(outside.config()) as desk:
        given = parcel(parts=EmailParts(headers={"X-Order": "4711"}, reply_to="help@example.com"))
        assert isinstance(await desk.send(given), Taken)
    _, message = await outside.arrived()
    assert message["X-Order"] == "4711"
    assert message["Reply-To"] == "help@example.com"
    assert message["List-Unsubscribe"] == "<https://example.com/u/token>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    if outside.kind in KEEPS_OUR_MESSAGE_ID:
        assert message["Message-ID"] == f"<{given.message.notification_id}@mail.example.com>"


async def test_copies(outside: Outside) -> None:
    """Cc and bcc get the email once each, however often they are named; nobody sees the bcc."""
    async with sending(outside.config()) as desk:
        one = parcel(
            parts=EmailParts(
                cc=["bob@example.com", "ada@example.com"], bcc=["eve@example.com", "bob@example.com"]
            )
        )
        assert isinstance(await desk.send(one), Taken)
    summary, message = await outside.arrived()
    assert sorted(summary["to"]) == ["ada@example.com", "bob@example.com", "eve@example.com"]
    assert "bob@example.com" in message["Cc"]
    assert "eve@example.com" not in message.as_string()


async def test_files(outside: Outside) -> None:
    """An attachment keeps its name and bytes; an inline image is found by its content id."""
    async with sending(outside.config()) as desk:
        assert isinstance(await desk.send(parcel(files=(LOGO, REPORT))), Taken)
    _, message = await outside.arrived()
    files = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert files["Bericht März.pdf"].get_payload(decode=True) == REPORT.content
    assert files["Bericht März.pdf"].get_content_type() == "application/pdf"
    assert files["logo.png"]["Content-ID"] == "<logo>"
    assert files["logo.png"].get_payload(decode=True) == LOGO.content


@pytest.mark.parametrize(
    ("to", "envelope"),
    [("ada@bücher.example", "ada@xn--bcher-kva.example"), ("ada@例子.example", "ada@xn--fsqu00a.example")],
)
async def test_international_domains(outside: Outside, to: str, envelope: str) -> None:
    """A domain in any script goes out in ASCII (RFC 5891)."""
    async with sending(outside.config()) as desk:
        assert isinstance(await desk.send(parcel(to)), Taken)
    summary, _ = await outside.arrived()
    assert summary["to"] == [envelope]


async def test_addresses_it_can_reach(outside: Outside) -> None:
    """Only SMTP knows a way to local parts beyond ASCII (RFC 6531): others leave them to the next."""
    async with sending(outside.config()) as desk:
        assert desk.provider.takes("ada@例子.example")
        assert desk.provider.takes("用户@example.com") == (outside.kind == "smtp")


@pytest.mark.parametrize("to", ["ada", "@example.com", "ada@" + "ü" * 64 + ".example", "a\r\nBcc: x@y.z"])
async def test_no_address(outside: Outside, to: str) -> None:
    """What cannot be an address is the recipient's fault, found before any claim."""
    async with sending(outside.config()) as desk:
        refused = await desk.refused(parcel(to))
    assert (refused.owner, desk.claims) == (ErrorOwner.RECIPIENT, 0)


async def test_a_throttle(outside: Outside) -> None:
    """A provider that asks for time is told apart from one that is down, and its wait is handed on."""
    await outside.misbehave({"smtp_code": 450, "text": "4.7.28 Slow down"}, {"status": 429, "retry_after": 2})
    async with sending(outside.config()) as desk:
        refused = await desk.refused()
    assert refused.owner is ErrorOwner.THROTTLE
    assert refused.provider_wide
    assert refused.retry_after == (None if outside.kind == "smtp" else 2)
    assert await outside.inbox() == []


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_outage(outside: Outside, status: int) -> None:
    """A server error is an outage, whatever its body says."""
    await outside.misbehave({"smtp_code": 451, "text": "4.3.0 Trouble", "stage": "data"}, {"status": status})
    async with sending(outside.config()) as desk:
        assert (await desk.refused()).owner is ErrorOwner.OUTAGE
    assert await outside.inbox() == []


async def test_too_large(outside: Outside) -> None:
    """An email that is too large is the content's fault: nobody else is asked, and the address stays."""
    await outside.misbehave({"smtp_code": 552, "text": "5.3.4 Too big", "stage": "data"}, {"status": 413})
    async with sending(outside.config()) as desk:
        refused = await desk.refused()
    assert (refused.owner, refused.dead) == (ErrorOwner.CONTENT, False)


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_wrong_credentials(simulator: Simulator, kind: str) -> None:
    """A wrong key is ours to put right; the email did not go out, and the key is not in the words."""
    config = with_wrong_credentials(kind, Outside(kind, simulator).config())
    async with sending(config) as desk:
        refused = await desk.refused()
    assert refused.owner is ErrorOwner.CREDENTIAL
    assert "wrong-key" not in refused.detail


async def test_no_connection(outside: Outside) -> None:
    """A server that is not there is an outage: nothing can have arrived."""
    port = free_port()
    config = config_of(outside.kind, url=f"http://127.0.0.1:{port}", smtp_port=port)
    async with sending(config) as desk:
        assert (await desk.refused()).owner is ErrorOwner.OUTAGE


async def test_an_answer_that_is_lost(outside: Outside) -> None:
    """The email was taken, the answer lost: it is ambiguous, and never counts as sent or as not sent."""
    lost = {"drop_response": True}
    await outside.misbehave(lost, lost)
    async with sending(outside.config()) as desk:
        assert (await desk.refused()).owner is ErrorOwner.AMBIGUOUS
    assert len(await outside.inbox()) == 1


async def test_an_answer_that_comes_too_late(outside: Outside) -> None:
    """Waiting ends at the limit, and the outcome is ambiguous: over HTTP the email is still taken."""

    async def taken() -> bool:
        return len(await outside.inbox()) == 1

    await outside.misbehave({"latency_s": 600}, {"latency_s": PATIENCE + 2})
    async with sending(outside.patient_for(PATIENCE)) as desk:
        assert (await desk.refused()).owner is ErrorOwner.AMBIGUOUS
    if outside.kind != "smtp":
        await eventually(taken)


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("fault", [{"malformed_answer": True}, {"slow_answer_s": 20}])
async def test_an_answer_that_is_half_there(
    simulator: Simulator, kind: str, fault: dict[str, object]
) -> None:
    """An answer cut short, or dripping byte by byte, is never waited for beyond the limit."""
    outside = Outside(kind, simulator)

    async def taken() -> bool:
        return len(await outside.inbox()) == 1

    await outside.misbehave({}, fault)
    # What is cut short comes at once, and has no limit to be late for.
    limited = outside.patient_for(PATIENCE) if "slow_answer_s" in fault else outside.config()
    async with sending(limited) as desk:
        answer = await desk.send()
    # SendGrid says all in its status: there is nothing in the body that could be broken.
    said_by_status = kind == "sendgrid" and "malformed_answer" in fault
    assert isinstance(answer, Taken) == said_by_status
    assert said_by_status or getattr(answer, "owner", None) is ErrorOwner.AMBIGUOUS
    await eventually(taken)


async def test_many_at_once(outside: Outside) -> None:
    """Fifty emails at the same time all arrive, each once."""

    async def one(desk: Sending, number: int) -> Answer:
        return await desk.send(parcel(f"ada{number}@example.com"))

    async with sending(outside.config()) as desk:
        answers = await asyncio.gather(*(one(desk, number) for number in range(50)))
    assert all(isinstance(answer, Taken) for answer in answers)
    assert len({email["to"][0] for email in await outside.inbox()}) == 50


async def test_the_notification_id_travels(outside: Outside) -> None:
    """The provider hands the notification's id back in its events, and its own id for the email is kept."""
    given = parcel()
    async with sending(outside.config()) as desk:
        taken = await desk.send(given)
    assert isinstance(taken, Taken)
    [email] = await outside.inbox()
    if outside.kind != "smtp":
        assert email["custom"] == {"notification_id": str(given.message.notification_id)}
        assert taken.provider_ref == email["reference"]


async def test_an_email_with_copies_says_whose_it_is(outside: Outside) -> None:
    """Events name an address: what comes back with them tells the person's from a copy's."""
    given = parcel(parts=EmailParts(bcc=["eve@example.com"]))
    async with sending(outside.config()) as desk:
        assert isinstance(await desk.send(given), Taken)
    [email] = await outside.inbox()
    if outside.kind != "smtp":
        reference = read_reference(email["custom"]["notification_id"], PATHS)
        assert reference is not None
        assert reference.notification_id == given.message.notification_id
        assert reference.is_copy("eve@example.com")
        assert not reference.is_copy("Ada@Example.com")


async def test_large_files(outside: Outside) -> None:
    """Files of some mebibytes arrive as they are."""
    content = random.Random(7).randbytes(5 * MIB)  # noqa: S311 - bytes that do not compress, no secret
    async with sending(outside.config()) as desk:
        taken = await desk.send(parcel(files=(File("scan.tiff", "image/tiff", content),)))
    assert isinstance(taken, Taken), taken
    [email] = await outside.inbox()
    [file] = email["attachments"]
    assert (file["size"], file["sha256"]) == (len(content), sha256(content).hexdigest())


async def test_resend_sends_it_once(simulator: Simulator) -> None:
    """The same email again, even with another body, is folded by Resend itself."""
    outside = Outside("resend", simulator)
    given = parcel()
    subject = msgspec.structs.replace(given.content.email, subject="Other")
    other = replace(given, content=replace(given.content, email=subject))
    async with sending(outside.config()) as desk:
        assert desk.provider.idempotent
        answers = [await desk.send(one) for one in (given, given, other)]
    first, second, third = answers
    assert isinstance(first, Taken)
    assert isinstance(second, Taken)
    assert isinstance(third, Taken)
    assert first.provider_ref == second.provider_ref
    [email] = await outside.inbox()
    assert email["subject"] == given.content.email.subject


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_a_header_that_may_not_be_set(kind: str) -> None:
    """A header that callers may not set is refused before anything leaves, as MIME refuses it."""
    async with answering(b"") as server, sending(config_of(kind, url=server.url)) as desk:
        for headers in ({"Bcc": "eve@example.com"}, {"X-A": "b\r\nBcc: eve@example.com"}):
            assert (await desk.refused(parcel(parts=EmailParts(headers=headers)))).owner is ErrorOwner.CONTENT
    assert (server.requests, desk.claims) == ([], 0)


async def test_our_signature(outside: Outside) -> None:
    """Our DKIM signature goes where the email stays as it is: not to SES, which would break it."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer = DkimSigner(domain="mail.example.com", selector="test", key_pem=pem)
    async with sending(outside.config(), signer) as desk:
        assert isinstance(await desk.send(), Taken)
    _, message = await outside.arrived()
    assert ("DKIM-Signature" in message) == (outside.kind in {"smtp", "mailgun"})


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_a_url_without_a_host(kind: str) -> None:
    """A url that leads nowhere is found at the start, and the provider named."""
    with pytest.raises(SettingsError, match="`main`"):
        async with sending(config_of(kind, url="https://:443")):
            pass

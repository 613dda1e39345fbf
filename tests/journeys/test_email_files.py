"""What an email carries: files, copies, headers, a signature, and the sandbox in which nothing leaves."""

import random
import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from hashlib import sha256

import dkim  # type: ignore[import-untyped] # dkimpy says nothing of its types
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from litestar import Litestar, Response, get
from litestar.params import FromPath

from support.commands import folder_for_homes
from support.email_world import EmailWorld, Step, email_world, steps_of, stranger
from support.ports import free_port
from support.serving import serving

pytestmark = pytest.mark.journey

MIB = 1024 * 1024
SENT: list[Step] = [("accepted", None), ("queued", None), ("sent", None)]
SANDBOX_LIVES: dict[str, list[Step]] = {
    "delivered": [("delivered", None)],
    "bounced": [("bounced", "hard_bounce")],
    "deferred": [("sent", "deferred"), ("delivered", None)],
    "complained": [("delivered", None), ("delivered", "complained")],
}
LANES = {"critical": "mailgun", "normal": "relay", "bulk": "sendgrid"}
"""Three ways out at once, by priority: the whole email as MIME over HTTP, over SMTP, and in JSON."""


@pytest.fixture(scope="module")
def content() -> bytes:
    """Bytes that do not compress."""
    return random.Random(7).randbytes(3 * MIB)  # noqa: S311 - no secret


@pytest.fixture(scope="module")
async def shop(content: bytes) -> AsyncIterator[str]:
    """A server with files, of which one is `content`; the email service may ask it."""

    @get("/{name:str}")
    async def file(name: FromPath[str]) -> Response[bytes]:
        return Response(content if name == "terms.pdf" else b"", media_type="application/pdf")

    async with serving(Litestar([file], openapi_config=None, logging_config=None), free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def key() -> tuple[bytes, bytes]:
    """The private key that emails are signed with (PEM), and what the DNS says of it."""
    private = generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, b"v=DKIM1; k=rsa; p=" + b64encode(public)


@pytest.fixture(scope="module")
async def shared_world(shop: str, key: tuple[bytes, bytes]) -> AsyncIterator[EmailWorld]:
    """A stack that signs, and may fetch files from the shop."""
    with folder_for_homes() as folder:
        file = folder / "dkim.pem"
        file.write_bytes(key[0])
        env = {
            "TIDINGS_EMAIL_DKIM_KEY_FILE": str(file),
            "TIDINGS_EMAIL_ATTACHMENT_HOSTS": shop.removeprefix("http://"),
        }
        async with email_world(env) as world:
            await world.lead(**LANES)
            yield world


@pytest.fixture
async def world(shared_world: EmailWorld) -> EmailWorld:
    """That stack with an empty inbox and without faults."""
    await shared_world.stack.clear()
    return shared_world


def someone() -> str:
    """An address that no other test uses."""
    return f"ada-{secrets.token_hex(4)}@example.com"


def inline(name: str, content: bytes, **more: str) -> dict[str, str]:
    return {"filename": name, "content": b64encode(content).decode(), **more}


@pytest.mark.parametrize("priority", LANES)
async def test_files_arrive_as_they_are(world: EmailWorld, shop: str, content: bytes, priority: str) -> None:
    """Attached, shown in the text or fetched from a URL: every byte, name and type is the caller's."""
    address, invoice, logo = someone(), content[: 2 * MIB], content[:1000]
    attachments = [
        inline("Rechnung Märze.pdf", invoice),
        inline("logo.png", logo, content_id="logo"),
        {"filename": "terms.pdf", "url": f"{shop}/terms.pdf"},
    ]
    sent = await world.send(address, priority=priority, email={"attachments": attachments})
    assert (await world.stack.wait_settled(sent))["status"] == "sent"
    email = await world.email_to(address)
    assert email["provider"] == LANES[priority].replace("relay", "smtp")
    found = {
        file["filename"]: (file["content_type"], file["sha256"], file["content_id"])
        for file in email["attachments"]
    }
    assert found == {
        "Rechnung Märze.pdf": ("application/pdf", sha256(invoice).hexdigest(), None),
        "logo.png": ("image/png", sha256(logo).hexdigest(), "logo"),
        "terms.pdf": ("application/pdf", sha256(content).hexdigest(), None),
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]"])
async def test_urls_that_lead_inside(world: EmailWorld, host: str) -> None:
    """A URL on this machine or of a cloud's metadata is never asked for, and the timeline says so."""
    attachment = {"filename": "a.txt", "url": f"http://{host}/latest/meta-data"}
    sent = await world.send(someone(), email={"attachments": [attachment]})
    settled = await world.stack.wait_settled(sent)
    assert (settled["status"], settled["reason"]) == ("failed", "attachment_refused")
    assert "a.txt" in settled["timeline"][-1]["detail"]
    assert await world.stack.inbox() == []


async def test_files_beyond_the_limit(world: EmailWorld) -> None:
    """25 MiB are refused before anything is accepted, and the caller is told what to do."""
    user_id = await world.person(someone())
    attachments = [inline("film.mp4", bytes(25 * MIB))]
    refused = await world.stack.post_notification(user_id=user_id, email={"attachments": attachments})
    assert refused.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE, refused.text
    assert "url" in refused.json()["detail"]


@pytest.mark.parametrize("priority", LANES)
async def test_copies_and_headers(world: EmailWorld, priority: str) -> None:
    """Cc and bcc get the email, nobody sees the bcc, and a caller's own headers stand in it."""
    address, cc, bcc = someone(), someone(), someone()
    options = {"cc": [cc], "bcc": [bcc], "reply_to": "help@example.com", "headers": {"X-Order": "4711"}}
    sent = await world.send(address, priority=priority, email=options)
    assert (await world.stack.wait_settled(sent))["status"] == "sent"
    email = await world.email_to(address)
    assert sorted(email["to"]) == sorted([address, cc, bcc])
    assert (email["headers"]["Cc"], email["headers"]["Reply-To"]) == (cc, "help@example.com")
    assert email["headers"]["X-Order"] == "4711"
    assert bcc.encode() not in await world.raw(email["id"])


async def test_copies_that_nobody_gets(world: EmailWorld) -> None:
    """A copy for an address on the suppression list, or of the sandbox, is left out; the others are sent."""
    address, cc, bcc = someone(), someone(), someone()
    listed = {"email": cc.upper(), "reason": "hard_bounce"}
    suppressed = await world.stack.http.post(f"{world.stack.gateway}/v1/suppressions", json=listed)
    assert suppressed.status_code == 201, suppressed.text
    copies = {"cc": [cc, "delivered@simulator.tidings.test"], "bcc": [bcc]}
    sent = await world.send(address, email=copies)
    assert (await world.stack.wait_settled(sent))["status"] == "sent"
    email = await world.email_to(address)
    assert sorted(email["to"]) == sorted([address, bcc])
    assert "Cc" not in email["headers"]


async def test_one_click_unsubscribing(world: EmailWorld) -> None:
    """The header of what can be switched off works with one POST; what is required has no such header."""
    news, receipt = await world.template(), await world.template(category="transactional")
    address = someone()
    user_id = await world.person(address)

    async def send(template_id: str) -> tuple[str, str]:
        sent = await world.stack.accept(user_id=user_id, template_id=template_id, variables={})
        settled = await world.stack.wait_settled(sent)
        return settled["status"], str(settled.get("reason"))

    assert (await send(news))[0] == "sent"
    headers = (await world.email_to(address))["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    async with stranger() as mailbox:
        link = headers["List-Unsubscribe"].strip("<>")
        assert (await mailbox.post(link, data={"List-Unsubscribe": "One-Click"})).is_success
    assert await send(news) == ("suppressed", "category_switched_off")

    await world.stack.clear()
    assert (await send(receipt))[0] == "sent"
    headers = (await world.email_to(address))["headers"]
    assert not [name for name in headers if name.startswith("List-Unsubscribe")]


@pytest.mark.parametrize("priority", ["normal", "critical"])
async def test_the_signature_verifies(world: EmailWorld, key: tuple[bytes, bytes], priority: str) -> None:
    """Dkimpy verifies what arrived, and both unsubscribe headers are signed (RFC 8058)."""
    address = someone()
    sent = await world.send(address, priority=priority, template_id=await world.template(), variables={})
    assert (await world.stack.wait_settled(sent))["status"] == "sent"
    email = await world.email_to(address)
    raw = await world.raw(email["id"])
    asked = []

    def look_up(name: bytes, timeout: int = 5) -> bytes:  # noqa: ARG001 - dkimpy's signature
        asked.append(name)
        return key[1]

    assert dkim.verify(raw, dnsfunc=look_up)
    assert asked == [b"tidings._domainkey.tidings.example."]
    signed = email["headers"]["DKIM-Signature"].lower()
    assert "list-unsubscribe:" in signed
    assert "list-unsubscribe-post" in signed


@pytest.mark.parametrize(
    ("policy", "end", "emails"),
    [("give_up", ("failed", "outcome_unknown"), 1), ("retry", ("sent", "None"), 2)],
)
async def test_an_answer_that_never_came(
    world: EmailWorld, policy: str, end: tuple[str, str], emails: int
) -> None:
    """The template decides whether an email that may have arrived is sent again, then with the same id."""
    address = someone()
    await world.stack.faults({"provider": "smtp", "drop_response": True, "times": 1})
    template_id = await world.template(when_ambiguous=policy)
    sent = await world.send(address, template_id=template_id, variables={})
    settled = await world.stack.wait_settled(sent)
    assert (settled["status"], str(settled.get("reason"))) == end
    arrived = await world.stack.inbox(to=address)
    assert len(arrived) == emails
    assert {email["message_id"] for email in arrived} == {f"<{sent}@tidings.example>"}


@pytest.mark.parametrize("name", SANDBOX_LIVES)
async def test_magic_recipients(world: EmailWorld, name: str) -> None:
    """An address of the sandbox lives a whole life with a live key; nothing is sent or suppressed."""
    address = f"{name}+{secrets.token_hex(4)}@simulator.tidings.test"
    told = SANDBOX_LIVES[name]
    found = await world.until(await world.send(address), *SENT, *told)
    assert Counter(steps_of(found)) == Counter(SENT + told)
    assert found["status"] == told[-1][0]
    assert await world.suppressed(address) == []
    assert await world.stack.inbox() == []


async def test_test_keys(world: EmailWorld) -> None:
    """With a test key nobody gets anything, whoever it is for, and the notification says so."""
    user_id = await world.person(someone())
    headers = {"Authorization": f"Bearer {world.stack.ready['test_api_key']}"}
    url = f"{world.stack.gateway}/v1/notifications"
    answer = await world.stack.http.post(url, json=world.stack.request(user_id=user_id), headers=headers)
    found = await world.until(answer.json()["id"], *SENT, ("delivered", None))
    assert (found["status"], found["sandbox"]) == ("delivered", True)
    assert await world.stack.inbox() == []

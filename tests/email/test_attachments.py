"""The files of an email, brought together from the gateway and from where they are."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp import web

from support.ports import free_port
from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.contracts.codes import Reason
from tidings.contracts.messages import Attachment, EmailParts
from tidings.delivery.outcome import Failed, Retry
from tidings.email.attachments import Attachments
from tidings.email.letter import File
from tidings.kit.errors import Problem
from tidings.kit.outbound import Outbound, open_outbound

LIMIT = 1_000
KEPT, BIG, LOST, ASLEEP = (UUID(int=number) for number in range(4))
GONE = Problem(title="Not Found", status=404, code="unknown_attachment", detail="It is kept no longer")


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[str]:
    """The URL of a server whose paths are a status and a size."""

    async def answer(request: web.Request) -> web.Response:
        status, size = (int(request.match_info[name]) for name in ("status", "size"))
        return web.Response(status=status, body=b"x" * size)

    app = web.Application()
    app.router.add_get("/{status}/{size}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture(scope="module")
async def outbound(shop: str) -> AsyncIterator[Outbound]:
    """A client that may ask the shop, and a port where nobody answers."""
    async with open_outbound(allow=frozenset({shop.removeprefix("http://"), "127.0.0.1:1"})) as client:
        yield client


@pytest.fixture
def attachments(outbound: Outbound) -> Attachments:
    """What loads files, 1,000 bytes an email at most."""
    return Attachments(outbound, fetch_kept, LIMIT)


async def fetch_kept(kept: UUID) -> bytes:
    if kept == LOST:
        raise RemoteProblem(GONE)
    if kept == ASLEEP:
        raise RemoteUnavailable("The gateway does not answer")
    return b"k" * (LIMIT + 1 if kept == BIG else 10)


def kept(file: UUID) -> Attachment:
    return Attachment(filename="kept.pdf", content_type="application/pdf", id=file)


def linked(url: str) -> Attachment:
    return Attachment(filename="linked.png", content_type="image/png", url=url, content_id="logo")


async def test_files_come_in_their_order(attachments: Attachments, shop: str) -> None:
    """Kept and linked files are loaded, and stand in the order that was asked for."""
    parts = EmailParts(attachments=[linked(f"{shop}/200/5"), kept(KEPT), linked(f"{shop}/200/0")])
    assert await attachments.load(parts) == (
        File("linked.png", "image/png", b"xxxxx", "logo"),
        File("kept.pdf", "application/pdf", b"k" * 10),
        File("linked.png", "image/png", b"", "logo"),
    )
    assert await attachments.load(EmailParts()) == ()


@pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 410])
async def test_a_refusal_is_for_good(attachments: Attachments, shop: str, status: int) -> None:
    """A file that its server refuses or has moved fails the email: a retry would find the same."""
    outcome = await attachments.load(EmailParts(attachments=[kept(KEPT), linked(f"{shop}/{status}/0")]))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.ATTACHMENT_REFUSED
    assert f"linked.png' cannot be sent: its server answered {status}" in outcome.detail


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
async def test_a_bad_moment_passes(attachments: Attachments, shop: str, status: int) -> None:
    """A server that cannot now is asked again later."""
    outcome = await attachments.load(EmailParts(attachments=[linked(f"{shop}/{status}/0")]))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.counted) == (Reason.ATTACHMENT_REFUSED, True)
    assert str(status) in outcome.detail


async def test_a_server_that_is_away(attachments: Attachments) -> None:
    """A server that does not answer is asked again later."""
    outcome = await attachments.load(EmailParts(attachments=[linked("http://127.0.0.1:1/x")]))
    assert isinstance(outcome, Retry)
    assert "127.0.0.1:1 cannot be reached" in outcome.detail


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:2/x", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"]
)
async def test_addresses_inside_are_refused(attachments: Attachments, url: str) -> None:
    """A URL that leads to this machine, its network or its cloud's metadata fails the email."""
    outcome = await attachments.load(EmailParts(attachments=[linked(url)]))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.ATTACHMENT_REFUSED


@pytest.mark.parametrize("files", [["big"], ["huge"], ["half", "half", "half"], ["half", "kept", "half"]])
async def test_too_much_in_all(attachments: Attachments, shop: str, files: list[str]) -> None:
    """The limit holds for one file and for all of them together, wherever they come from."""
    known = {
        "big": kept(BIG),
        "huge": linked(f"{shop}/200/{LIMIT + 1}"),
        "half": linked(f"{shop}/200/{LIMIT // 2}"),
        "kept": kept(KEPT),
    }
    outcome = await attachments.load(EmailParts(attachments=[known[name] for name in files]))
    assert isinstance(outcome, Failed)
    assert f"more than {LIMIT} bytes" in outcome.detail


async def test_a_kept_file_that_is_gone(attachments: Attachments) -> None:
    """What the gateway keeps no longer fails the email; a file without any source does too."""
    outcome = await attachments.load(EmailParts(attachments=[kept(LOST)]))
    assert isinstance(outcome, Failed)
    assert GONE.detail in outcome.detail
    sourceless = Attachment(filename="x", content_type="text/plain")
    assert isinstance(await attachments.load(EmailParts(attachments=[sourceless])), Failed)


async def test_the_gateway_is_away(attachments: Attachments) -> None:
    """While the gateway does not answer the email waits, and no attempt is used up."""
    outcome = await attachments.load(EmailParts(attachments=[kept(ASLEEP)]))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.counted) == (Reason.SERVICE_UNAVAILABLE, False)


async def test_what_can_never_work_is_not_tried_again(attachments: Attachments, shop: str) -> None:
    """Of a file that is refused and one that is late, the refusal decides."""
    files = [linked(f"{shop}/503/0"), kept(ASLEEP), linked(f"{shop}/404/0")]
    assert isinstance(await attachments.load(EmailParts(attachments=files)), Failed)

"""What a request adds to an email: reply address, copies, headers, files."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.ports import free_port
from support.serving import serving
from support.world import World
from tidings.client.attachments import AttachmentsClient
from tidings.client.http import RemoteProblem, ServiceHttp
from tidings.contracts.messages import DeliveryMessage
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 4


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def attached(*attachments: dict[str, Any]) -> dict[str, Any]:
    return {"email": {"attachments": list(attachments)}}


def plain(content: bytes) -> dict[str, str]:
    return {"filename": "a.txt", "content": base64(content)}


async def send(gateway: httpx.AsyncClient, body: dict[str, Any]) -> str:
    answer = await gateway.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_the_channel_gets_the_options(
    open_gateway: OpenGateway, world: World, new_body: NewBody
) -> None:
    """The message names all there is, addresses in their normal form, files by reference: it stays small."""
    email = {
        "reply_to": "Ada@EXAMPLE.com",
        "cc": ["one@example.com", "two@b\u00fccher.example.com"],
        "bcc": ["three@example.com"],
        "headers": {"X-Order": "7 \u2013 urgent"},
        "attachments": [
            {"filename": "report.PDF", "content": base64(b"x" * MIB)},
            {"filename": "logo", "content_type": "image/png", "content": "", "content_id": "logo"},
            {"filename": "terms.tar.gz", "url": "https://files.example.com/terms?v=1"},
        ],
    }
    async with open_gateway() as gateway, taking(world.broker_url, "email.queue") as taken:
        notification_id = await send(gateway, new_body(email=email))
        await eventually(lambda: notification_id in taken.ids)
        delivery = taken.of(notification_id)[0]

    assert len(delivery.message.body) < 3_000
    parts = msgspec.json.decode(delivery.message.body, type=DeliveryMessage).email
    assert parts is not None
    assert (parts.reply_to, parts.bcc) == ("Ada@example.com", ["three@example.com"])
    assert parts.cc == ["one@example.com", "two@b\u00fccher.example.com"]
    assert parts.headers == {"X-Order": "7 \u2013 urgent"}
    report, logo, terms = parts.attachments
    assert (report.content_type, report.size, report.url) == ("application/pdf", MIB, None)
    assert (logo.content_type, logo.size, logo.content_id) == ("image/png", 0, "logo")
    assert (terms.content_type, terms.id, terms.url) == (
        "application/gzip",
        None,
        "https://files.example.com/terms?v=1",
    )
    assert report.id is not None
    assert report.id != logo.id


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("invite.ics", "text/calendar"),
        ("mail.eml", "application/octet-stream"),
        ("no ending", "application/octet-stream"),
        ("\u00fcbersicht.csv", "text/csv"),
    ],
)
async def test_the_name_says_what_a_file_is(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, new_body: NewBody, filename: str, content_type: str
) -> None:
    """Without a content type the file's name decides, on every machine the same."""
    notification_id = await send(gateway, new_body(**attached({"filename": filename, "content": ""})))
    kept = await admin.fetchrow(
        "select filename, content_type from attachments where notification_id = $1", UUID(notification_id)
    )
    assert kept is not None
    assert tuple(kept) == (filename, content_type)


async def test_services_fetch_the_files(
    settings: GatewaySettings,
    service_token: Callable[..., str],
    admin: asyncpg.Connection,
    gateway: httpx.AsyncClient,
    new_body: NewBody,
) -> None:
    """The email service gets a file byte for byte, and hears when there is none of that id."""
    notification_id = UUID(await send(gateway, new_body(**attached(plain(CONTENT)))))
    attachment_id = await admin.fetchval(
        "select id from attachments where notification_id = $1", notification_id
    )
    async with (
        open_app(settings) as app,
        serving(app, free_port()) as url,
        aiohttp.ClientSession() as session,
    ):
        allowed = ServiceHttp(session, url, lambda: service_token("gateway", "attachments:read"))
        client = AttachmentsClient(allowed)
        assert await client.fetch(attachment_id) == CONTENT
        lacking = ServiceHttp(session, url, lambda: service_token("gateway", "notifications:read"))
        with pytest.raises(RemoteProblem, match="missing_scope"):
            await AttachmentsClient(lacking).fetch(attachment_id)
        with pytest.raises(RemoteProblem, match="unknown_attachment"):
            await client.fetch(uuid4())


async def test_no_api_key_reads_files(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, new_body: NewBody
) -> None:
    """Not even a key with every scope does; the path is not in the description either."""
    notification_id = UUID(await send(gateway, new_body(**attached(plain(CONTENT)))))
    attachment_id = await admin.fetchval(
        "select id from attachments where notification_id = $1", notification_id
    )
    assert_problem(await gateway.get(f"/v1/attachments/{attachment_id}"), 403, "missing_scope")
    assert "attachments/" not in (await gateway.get("/schema/openapi.json")).text


FILE = {"filename": "a.txt", "content": "aGk="}


@pytest.mark.parametrize(
    ("email", "fields"),
    [
        ({"reply_to": "nobody"}, ["$.email.reply_to"]),
        ({"reply_to": "a@example.com\r\nBcc: b@example.com"}, ["$.email.reply_to"]),
        ({"cc": ["a@example.com", "@example.com"]}, ["$.email.cc[1]"]),
        ({"bcc": ["a b@example.com"], "cc": ["x"]}, ["$.email.bcc[0]", "$.email.cc[0]"]),
        ({"cc": ["a@example.com"] * 21}, ["$.email.cc"]),
        ({"headers": {"Bcc": "b@example.com"}}, ["$.email.headers.Bcc"]),
        ({"headers": {"X-A": "1\r\nBcc: b@example.com"}}, ["$.email.headers.X-A"]),
        ({"headers": {"X-A": "1", "x-a": "2"}}, ["$.email.headers.x-a"]),
        ({"headers": {"X-A": 7}}, ["$.email.headers[...]"]),
        ({"attachments": [FILE, FILE | {"content": "no base64!"}]}, ["$.email.attachments[1].content"]),
        ({"attachments": [FILE | {"url": "https://example.com/a"}]}, ["$.email.attachments[0]"]),
        ({"attachments": [FILE, {"filename": "a.txt"}]}, ["$.email.attachments[1]"]),
        ({"attachments": [{"filename": "a", "url": "file:///etc/passwd"}]}, ["$.email.attachments[0].url"]),
        ({"attachments": [FILE | {"filename": "a\r\nb"}]}, ["$.email.attachments[0].filename"]),
        ({"attachments": [FILE | {"content_type": "pdf"}]}, ["$.email.attachments[0].content_type"]),
        (
            {"attachments": [FILE | {"content_type": "multipart/mixed"}]},
            ["$.email.attachments[0].content_type"],
        ),
        ({"attachments": [FILE | {"content_id": "<a>"}]}, ["$.email.attachments[0].content_id"]),
        (
            {"attachments": [FILE | {"content_id": "a"}] * 2},
            ["$.email.attachments[0].content_id", "$.email.attachments[1].content_id"],
        ),
        ({"attachments": [FILE] * 21}, ["$.email.attachments"]),
        ({"subject": "another"}, ["$.email.subject"]),
    ],
    ids=str,
)
async def test_what_no_email_can_have(
    gateway: httpx.AsyncClient, new_body: NewBody, email: dict[str, Any], fields: list[str]
) -> None:
    """Each field at fault is named, an attachment by its number, and nothing is taken."""
    answer = await gateway.post("/v1/notifications", json=new_body(email=email))
    assert_problem(answer, 422, "invalid_request", *fields)


async def test_options_are_for_emails(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """A push notification cannot have them."""
    variables = {"name": "Ada", "link": "https://example.com"}
    body = new_body(channel="push", variables=variables, email={"reply_to": "a@example.com"})
    assert_problem(await gateway.post("/v1/notifications", json=body), 422, "invalid_request", "$.email")


async def test_files_of_ten_mebibytes(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, new_body: NewBody
) -> None:
    """Together they may have 10 MiB, decoded; with one byte more they are refused by size."""
    taken = attached(plain(b"a" * 6 * MIB), plain(b"b" * 4 * MIB))
    notification_id = UUID(await send(gateway, new_body(**taken)))
    lengths = await admin.fetch(
        "select length(content) as n from attachments where notification_id = $1", notification_id
    )
    assert sorted(row["n"] for row in lengths) == [4 * MIB, 6 * MIB]

    refused = attached(plain(b"a" * 6 * MIB), plain(b"b" * (4 * MIB + 1)))
    answer = await gateway.post("/v1/notifications", json=new_body(**refused))
    assert_problem(answer, 413, "attachments_too_large", "$.email.attachments")
    assert "10,485,761 bytes" in answer.json()["detail"]


async def test_a_file_of_25_mebibytes(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """It is refused before it is read, with its size, the limit, and the way for large files."""
    body = new_body(**attached(plain(b"a" * 25 * MIB)))
    answer = await gateway.post("/v1/notifications", json=body)
    assert_problem(answer, 413, "body_too_large")
    assert all(words in answer.json()["detail"] for words in ("16 MiB", "10 MiB", "`url`"))


async def test_files_are_part_of_the_request(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, new_body: NewBody
) -> None:
    """The same request again is the same notification with one file; other bytes are another request."""
    body = new_body(**attached(plain(CONTENT)))
    first = await send(gateway, body)
    again = await gateway.post("/v1/notifications", json=body)
    other = await gateway.post("/v1/notifications", json={**body, **attached(plain(CONTENT[::-1]))})
    assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (first, "true")
    assert_problem(other, 422, "idempotency_key_reused")
    kept = "select count(*) from attachments where notification_id = $1"
    assert await admin.fetchval(kept, UUID(first)) == 1

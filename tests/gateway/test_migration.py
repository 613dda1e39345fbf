"""What an older gateway stored goes on working."""

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

import tidings.gateway
from gateway.conftest import OpenGateway
from support.servers import create_database, provision
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.kit.ids import new_id, now
from tidings.kit.migrations import upgrade

BEFORE = ("0001_initial.py", "0002_dead_letters.py")
KEYS = {"tdg_live_" + "o" * 32: False, "tdg_test_" + "o" * 32: True}


@pytest.fixture
async def notification_id(older: asyncpg.Connection) -> UUID:
    """A notification that was retried and sent."""
    message = DeliveryMessage(
        notification_id=new_id(),
        request_id="old",
        channel=Channel.EMAIL,
        user_id="7",
        template_id="welcome",
        accepted_at=now(),
    )
    await older.execute(
        "insert into notifications (id, owner, request_id, channel, user_id, template_id, status, message,"
        " headers, accepted_at, updated_at) values ($1, '', 'old', 'email', '7', 'welcome', 'sent', $2, '{}',"
        " $3, $3)",
        message.notification_id,
        msgspec.json.encode(message).decode(),
        message.accepted_at,
    )
    await older.executemany(
        "insert into events (notification_id, attempt, status, at, reason) values ($1, $2, $3, now(), $4)",
        [
            (message.notification_id, 1, "retrying", "provider_throttled"),
            (message.notification_id, 2, "sent", None),
        ],
    )
    return message.notification_id


@pytest.fixture
async def older_url(postgres_admin_url: str, tmp_path: Path) -> str:
    """The gateway's database as the release before left it."""
    url = await provision(await create_database(postgres_admin_url), "gateway")
    versions = tmp_path / "versions"
    versions.mkdir()
    for name in BEFORE:
        source = Path(tidings.gateway.__file__).parent / "migrations" / "versions" / name
        (versions / name).write_text(source.read_text())
    await asyncio.to_thread(upgrade, url, schema="gateway", folder=tmp_path)
    return url


@pytest.fixture
async def older(older_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it, with a live and a test key stored."""
    connection = await asyncpg.connect(older_url, server_settings={"search_path": "gateway"})
    for key in KEYS:
        await connection.execute(
            "insert into api_keys (id, name, prefix, digest, scopes) values ($1, 'old', $2, $3, '{*}')",
            new_id(),
            key[:13],
            sha256(key.encode()).digest(),
        )
    yield connection
    await connection.close()


async def test_what_was_there_is_carried_over(
    open_gateway: OpenGateway, older_url: str, notification_id: UUID, service_token: Callable[..., str]
) -> None:
    """Timelines read as before, and keys open what they opened; those for tests are known as such."""
    async with open_gateway(database_url=older_url) as client:
        for key, sandbox in KEYS.items():
            client.headers["Authorization"] = f"Bearer {key}"
            found = await client.get(f"/v1/notifications/{notification_id}")
            if sandbox:  # it was sent before there were test keys
                assert found.status_code == 404
            else:
                steps = [(step["status"], step["attempt"]) for step in found.json()["timeline"]]
                assert steps == [("accepted", 0), ("retrying", 1), ("sent", 2)]
            client.headers["Authorization"] = f"Bearer {service_token('gateway')}"
            assert await is_sandbox(client, key) is sandbox


async def is_sandbox(client: httpx.AsyncClient, key: str) -> bool:
    marked: bool = (await client.post("/internal/api-keys/check", json={"key": key})).json()["sandbox"]
    return marked

"""A database of the version before, with people in it, becomes one of this version."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg

import tidings.users
from support.servers import client_of
from tidings.kit.migrations import upgrade
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

MIGRATIONS = Path(tidings.users.__file__).with_name("migrations")
USER_ID = "01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a"

FIRST_ROWS = f"""
    set search_path to users;
    insert into users (id, external_id, email, preferences)
        values ('{USER_ID}', 'old', 'Old@example.com', '{{"email": false}}');
    insert into push_tokens (id, user_id, provider, token, token_sha256)
        values (gen_random_uuid(), '{USER_ID}', 'fcm', 'old-token', sha256('old-token'));
"""  # noqa: S608 - a constant


async def test_people_and_devices_stay(
    users_settings: UsersSettings, service_token: Callable[..., str], tmp_path: Path
) -> None:
    """Everyone is there after the migration, with devices and preferences, and found by the new filters."""
    first = tmp_path / "versions"
    first.mkdir()
    shutil.copy(MIGRATIONS / "versions" / "0001_initial.py", first)
    await asyncio.to_thread(upgrade, users_settings.database_url, schema="users", folder=tmp_path)
    connection = await asyncpg.connect(users_settings.database_url)
    await connection.execute(FIRST_ROWS)
    await connection.close()

    async with open_app(users_settings) as app, client_of(app, service_token("users")) as users:
        (found,) = (await users.get("/users", params={"email": "old@EXAMPLE.com"})).json()["users"]
        again = await users.post(f"/users/{USER_ID}/tokens", json={"provider": "fcm", "token": "old-token"})
        contact = (await users.get(f"/users/{USER_ID}/contact")).json()
    assert (found["id"], found["external_id"], found["erased_at"]) == (USER_ID, "old", None)
    assert found["preferences"]["email"] is False
    assert again.status_code == 200
    assert [token["token"] for token in contact["tokens"]] == ["old-token"]

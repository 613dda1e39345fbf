"""The gateway's audit log is kept as long as its own setting says."""

from typing import Any

import httpx

from gateway.data_life.conftest import Opened
from support.audit import add_old_entries
from support.polling import eventually


async def test_old_entries_go(opened: Opened, database_url: str) -> None:
    """What is older than `audit_retention_days` goes, whatever `retention_days` is, and the log says so."""
    await add_old_entries(database_url, "gateway", days=40, count=3)
    await add_old_entries(database_url, "gateway", days=20, count=2)
    async with opened(audit_retention_days=30, retention_days=0) as gateway:

        async def told() -> bool:
            return bool(await _entries(gateway, action="audit_entries.dropped"))

        await eventually(told)
        [entry] = await _entries(gateway, action="audit_entries.dropped")
        assert (entry["actor"], entry["detail"]["entries"]) == ("tidings", 3)
        assert len(await _entries(gateway, actor="old")) == 2


async def test_they_outlive_notifications(opened: Opened, database_url: str) -> None:
    """Without the setting they are kept, also by a gateway that drops old notifications."""
    await add_old_entries(database_url, "gateway", days=10_000)
    async with opened(retention_days=1) as gateway:
        assert len(await _entries(gateway, actor="old")) == 1


async def _entries(gateway: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await gateway.get("/v1/audit-log", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])

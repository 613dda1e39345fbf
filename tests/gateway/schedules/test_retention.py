"""Schedules that ended go as notifications do."""

from datetime import timedelta

import asyncpg
import httpx

from gateway.conftest import OpenGateway
from gateway.schedules.conftest import NewSchedule
from support.polling import eventually
from support.servers import create_database, provision


async def test_what_ended_long_ago_is_gone(
    open_gateway: OpenGateway, new_schedule: NewSchedule, postgres_admin_url: str
) -> None:
    """Past the retention an ended schedule is unknown; what may go on stays, however old it is."""
    own = await create_database(postgres_admin_url)
    url = await provision(own, "gateway")
    async with open_gateway(database_url=url) as gateway:
        ids = [(await gateway.post("/v1/schedules", json=new_schedule())).json()["id"] for _ in range(4)]
        long_ended, ended, paused, _ = ids
        for one in (long_ended, ended):
            await gateway.delete(f"/v1/schedules/{one}")
        await gateway.post(f"/v1/schedules/{paused}/pause")
    connection = await asyncpg.connect(own, server_settings={"search_path": "gateway"})
    for one, days in ((long_ended, 91), (ended, 89), (paused, 400)):
        await connection.execute(
            "update schedules set updated_at = now() - $2::interval where id = $1", one, timedelta(days=days)
        )
    await connection.close()

    async with open_gateway(database_url=url, retention_days=90) as gateway:
        await eventually(lambda: is_unknown(gateway, long_ended))
        assert await known(gateway) == ids[:0:-1]


async def known(gateway: httpx.AsyncClient) -> list[str]:
    """The schedules there are, newest first."""
    return [one["id"] for one in (await gateway.get("/v1/schedules")).json()["schedules"]]


async def is_unknown(gateway: httpx.AsyncClient, schedule_id: str) -> bool:
    answer = await gateway.get(f"/v1/schedules/{schedule_id}")
    return bool(answer.status_code == 404 and answer.json()["code"] == "unknown_schedule")

"""Schedules through the public SDK."""

from datetime import UTC, datetime, timedelta

import msgspec

from gateway.conftest import API_KEY
from gateway.schedules.conftest import NewSchedule
from support.ports import free_port
from support.serving import serving
from tidings.client import Tidings
from tidings.contracts.codes import Channel, Status
from tidings.contracts.notifications import NewNotification
from tidings.contracts.schedules import NewSchedule as Asked
from tidings.contracts.schedules import ScheduleStatus
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings


async def test_a_schedule_from_python(
    settings: GatewaySettings, new_schedule: NewSchedule, user_id: str
) -> None:
    """A schedule is made, read, found, paused, resumed and ended; a notification is sent for later."""
    asked = msgspec.convert(new_schedule(name="Report"), Asked)
    async with (
        open_app(settings) as app,
        serving(app, free_port()) as url,
        Tidings(url, API_KEY) as tidings,
    ):
        made = await tidings.schedules.create(asked)
        assert await tidings.schedules.read(made.id) == made
        assert (made.status, len(made.next_at)) == (ScheduleStatus.ACTIVE, 5)
        assert (await tidings.schedules.pause(made.id)).status is ScheduleStatus.PAUSED
        paused = [one.id async for one in tidings.schedules.find(status=ScheduleStatus.PAUSED)]
        assert made.id in paused
        assert (await tidings.schedules.resume(made.id)).next_at == made.next_at
        await tidings.schedules.end(made.id)
        assert (await tidings.schedules.read(made.id)).status is ScheduleStatus.ENDED
        assert [one async for one in tidings.notifications.find(schedule_id=made.id)] == []
        later = NewNotification(
            channel=Channel.EMAIL,
            user_id=user_id,
            template_id="welcome",
            variables={"name": "Ada"},
            send_at=datetime.now(UTC) + timedelta(hours=1),
        )
        accepted = await tidings.notifications.send(later)
        assert accepted.status is Status.SCHEDULED
        assert (await tidings.notifications.read(accepted.id)).send_at == later.send_at

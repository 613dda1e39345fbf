"""What the OpenAPI document shows of schedules: a weekly report, on the recipient's Monday morning."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tidings.contracts.codes import Channel
from tidings.contracts.schedules import (
    NewSchedule,
    RecurringNotification,
    Schedule,
    Schedules,
    ScheduleStatus,
)
from tidings.gateway.examples import USER_ID

AT = datetime(2027, 1, 29, 12, tzinfo=UTC)
NEXT = datetime(2027, 2, 1, 9, tzinfo=UTC)

NEW = NewSchedule(
    name="Weekly report",
    rrule="FREQ=WEEKLY;BYDAY=MO",
    start_at_local=NEXT.replace(tzinfo=None),
    notification=RecurringNotification(
        channel=Channel.EMAIL, user_id=USER_ID, template_id="report", variables={"name": "Ada"}
    ),
)
SCHEDULE = Schedule(
    id=UUID("01990c3e-9a4b-7e52-b3c1-7d5e2f8a6b91"),
    name=NEW.name,
    rrule=NEW.rrule,
    start_at_local=NEW.start_at_local,
    notification=NEW.notification,
    status=ScheduleStatus.ACTIVE,
    next_at=[NEXT + weeks * timedelta(days=7) for weeks in range(5)],
    created_at=AT,
    updated_at=AT,
)
SCHEDULES = Schedules(schedules=[SCHEDULE])

"""What the OpenAPI document shows of dead letters: a template that lacked a value, mended and replayed."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterEdits,
    DeadLetterFilter,
    DeadLetterGroup,
    DeadLetterGroups,
    DeadLetterPatch,
    DeadLetters,
    Discarded,
    NewReplay,
    NewReplayJob,
    Replayed,
    ReplayedAs,
    ReplayJob,
    ReplayPlan,
    ReplayState,
)
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import TimelineEvent

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_LATER = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
_GROUP = "5f0c2e9a41b7"
_DETAIL = "Line 3 of the text: there is no value for 'link'"

_MESSAGE = DeliveryMessage(
    notification_id=UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a"),
    request_id="order-17",
    channel=Channel.EMAIL,
    user_id="01990c3e-2b1f-7c41-9a55-6f0d3c8e7b21",
    template_id="welcome",
    template_version=3,
    variables={"name": "Ada"},
    accepted_at=_AT,
)
LETTER = DeadLetter(
    id=UUID("01990c3e-5e01-7a12-8c44-9b7f0e2d6a10"),
    notification_id=_MESSAGE.notification_id,
    group=_GROUP,
    reason=Reason.RENDER_FAILED,
    cause=_DETAIL,
    detail=_DETAIL,
    queue="email.queue",
    channel=_MESSAGE.channel,
    user_id=_MESSAGE.user_id,
    template_id=_MESSAGE.template_id,
    provider=None,
    recorded_at=_AT,
    expires_at=None,
    edited=True,
    replayed_as=[UUID("01990c5e-1f00-7b3c-9d21-4e6a8c0b2f73")],
)
LETTERS = DeadLetters(dead_letters=[LETTER])
GROUPS = DeadLetterGroups(
    groups=[
        DeadLetterGroup(
            group=_GROUP,
            reason=LETTER.reason,
            provider=None,
            template_id=LETTER.template_id,
            cause=LETTER.cause,
            count=120,
            replayed=1,
            first_at=_AT,
            last_at=_LATER,
            example_id=LETTER.id,
        )
    ],
    more=False,
)
PATCH = DeadLetterPatch(variables={"link": "https://example.com/start"})
DETAIL = DeadLetterDetail(
    **msgspec.structs.asdict(LETTER),
    message=_MESSAGE,
    body=None,
    edits=DeadLetterEdits(variables={"name": "Ada", "link": "https://example.com/start"}),
    attempts=[
        TimelineEvent(status=Status.ACCEPTED, at=_AT),
        TimelineEvent(
            status=Status.FAILED, at=_AT, attempt=1, reason=Reason.RENDER_FAILED, detail=LETTER.detail
        ),
    ],
    replays=[
        ReplayedAs(
            id=LETTER.replayed_as[0], status=Status.SENT, settled=True, reason=None, accepted_at=_LATER
        )
    ],
)
NEW_REPLAY = NewReplay()
REPLAYED = Replayed(dead_letter_id=LETTER.id, notification_id=LETTER.replayed_as[0])
NEW_JOB = NewReplayJob(filter=DeadLetterFilter(group=_GROUP), rate=20)
JOB = ReplayJob(
    id=UUID("01990c5e-0a10-7d4e-8b52-6c1f3e5a7d90"),
    state=ReplayState.RUNNING,
    filter={"group": _GROUP},
    rate=20,
    again=False,
    skip_expired=True,
    matched=120,
    replayed=40,
    skipped={"already_replayed": 1},
    remaining=79,
    created_at=_LATER,
)
CANCELLED = msgspec.structs.replace(JOB, state=ReplayState.CANCELLED, finished_at=_LATER)
PLAN = ReplayPlan(matched=120, replayable=119, skipped={"already_replayed": 1})
DISCARDED = Discarded(discarded=120)

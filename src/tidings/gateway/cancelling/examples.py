"""What the OpenAPI document shows of cancels."""

from uuid import UUID

from tidings.contracts.cancels import CancelAnswer, CancelItem, CancelProblem, NewCancel, NewCancels
from tidings.contracts.codes import Status
from tidings.gateway.examples import NOTIFICATION

_REASON = "The order was withdrawn"
_FIRST = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
_SECOND = UUID("01990c3e-5d41-7a02-b1c8-9e0f6a7b8c9d")

NEW_CANCEL = NewCancel(reason=_REASON)
NEW_CANCELS = NewCancels(request_ids=["order-17", "order-18", "order-19"], reason=_REASON)
CANCELLED = NOTIFICATION | {
    "status": "cancelled",
    "updated_at": "2026-01-31T12:00:03Z",
    "timeline": [
        {"status": "accepted", "at": "2026-01-31T12:00:00Z"},
        {"status": "queued", "at": "2026-01-31T12:00:00.010Z"},
        {"status": "cancelled", "at": "2026-01-31T12:00:03Z", "detail": _REASON},
    ],
}
ANSWER = CancelAnswer(
    cancelled=1,
    refused=1,
    left=0,
    unknown=["order-19"],
    items=[
        CancelItem(id=_FIRST, request_id="order-17", status=Status.CANCELLED),
        CancelItem(
            id=_SECOND,
            request_id="order-18",
            status=Status.DELIVERED,
            problem=CancelProblem(
                status=409,
                code="already_settled",
                detail=f"The notification {_SECOND} is delivered already, so there is nothing to cancel",
            ),
        ),
    ],
)

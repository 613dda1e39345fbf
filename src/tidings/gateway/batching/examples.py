"""What the OpenAPI document shows of batches: one template to two people, one of whom is not known."""

from litestar.enums import RequestEncodingType
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg
from msgspec.structs import asdict

from tidings.contracts.batches import BatchAnswer, DryBatch, DryBatchItem
from tidings.contracts.codes import Step, Verdict
from tidings.contracts.explaining import ExplainedStep, Would
from tidings.gateway.examples import ACCEPTED, REQUEST, USER_ID
from tidings.gateway.explaining.examples import DRY_RUN

ONE_TEMPLATE = {
    "defaults": {"channel": "email", "template_id": "welcome", "variables": {"name": "friend"}},
    "notifications": [
        {"user_id": USER_ID, "request_id": "launch-1", "variables": {"name": "Ada"}},
        {"user_id": "nobody", "request_id": "launch-2"},
    ],
}
SEPARATE = {"notifications": [REQUEST, REQUEST | {"request_id": "order-18", "channel": "push"}]}
ANSWER = {
    "accepted": 1,
    "refused": 1,
    "items": [
        {"index": 0} | ACCEPTED | {"request_id": "launch-1"},
        {
            "index": 1,
            "problem": {
                "status": 422,
                "code": "unknown_user",
                "detail": "There is no user 'nobody'",
                "errors": [{"field": "$.user_id", "message": "There is no user 'nobody'"}],
            },
        },
    ],
}
DRY_BATCH = DryBatch(
    send=0,
    wait=1,
    not_send=1,
    unknown=0,
    items=[
        DryBatchItem(index=0, **asdict(DRY_RUN)),
        DryBatchItem(
            index=1,
            would=Would.NOT_SEND,
            code="unknown_user",
            detail="There is no user 'nobody'",
            steps=[
                ExplainedStep(step=Step.IDEMPOTENCY, verdict=Verdict.PASSED),
                ExplainedStep(step=Step.LIMITS, verdict=Verdict.PASSED),
                ExplainedStep(
                    step=Step.CONTACT,
                    verdict=Verdict.STOPPED,
                    detail="unknown_user: There is no user 'nobody'",
                ),
            ],
        ),
    ],
)

BATCH_BODY = BodyKwarg(
    media_type=RequestEncodingType.JSON, examples=[Example(value=ONE_TEMPLATE), Example(value=SEPARATE)]
)
BATCH_ANSWER = ResponseSpec(BatchAnswer, description="What became of each", examples=[Example(value=ANSWER)])
DRY_BATCH_ANSWER = ResponseSpec(
    DryBatch,
    description="With `dry_run=true`: what would become of each. Nothing was sent, stored or counted",
    examples=[Example(value=DRY_BATCH)],
)

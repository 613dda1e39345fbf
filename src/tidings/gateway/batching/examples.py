"""What the OpenAPI document shows of batches: one template to two people, one of whom is not known."""

from litestar.enums import RequestEncodingType
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg

from tidings.contracts.batches import BatchAnswer
from tidings.gateway.examples import ACCEPTED, REQUEST, USER_ID

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

BATCH_BODY = BodyKwarg(
    media_type=RequestEncodingType.JSON, examples=[Example(value=ONE_TEMPLATE), Example(value=SEPARATE)]
)
BATCH_ANSWER = ResponseSpec(BatchAnswer, description="What became of each", examples=[Example(value=ANSWER)])

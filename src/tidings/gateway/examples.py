"""What the OpenAPI document shows of requests and answers: one email, on its way."""

from typing import Any

from litestar.enums import RequestEncodingType
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg

from tidings.contracts.notifications import Accepted, Notification, Notifications

ID = "01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a"
USER_ID = "01990c3e-2b1f-7c41-9a55-6f0d3c8e7b21"
AT = "2026-01-31T12:00:00Z"

REQUEST: dict[str, Any] = {
    "request_id": "order-17",
    "channel": "email",
    "user_id": USER_ID,
    "template_id": "welcome",
    "variables": {"name": "Ada", "link": "https://example.com/start"},
}
WITH_FILES = REQUEST | {
    "email": {
        "reply_to": "support@example.com",
        "cc": ["accounts@example.com"],
        "headers": {"X-Order": "17"},
        "attachments": [
            {"filename": "note.txt", "content": "VGhhbmsgeW91IQo="},
            {
                "filename": "logo.png",
                "content_id": "logo",
                "content": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAA"
                "CklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
            },
            {"filename": "terms.pdf", "url": "https://files.example.com/terms.pdf"},
        ],
    },
}
ACCEPTED = {"id": ID, "request_id": "order-17", "status": "accepted", "accepted_at": AT}
SUMMARY = {
    "id": ID,
    "request_id": "order-17",
    "channel": "email",
    "user_id": USER_ID,
    "template_id": "welcome",
    "template_version": 3,
    "priority": "normal",
    "locale": None,
    "metadata": {},
    "status": "delivered",
    "settled": True,
    "reason": None,
    "accepted_at": AT,
    "updated_at": "2026-01-31T12:00:03Z",
    "expires_at": None,
    "sandbox": False,
    "replay_of": None,
    "send_at": None,
    "schedule_id": None,
    "group_id": None,
    "fallback_of": None,
    "fallback_id": None,
    "timeline": [],
}
NOTIFICATION = SUMMARY | {
    "timeline": [
        {"status": "accepted", "at": AT},
        {"status": "queued", "at": "2026-01-31T12:00:00.010Z"},
        {"status": "sent", "at": "2026-01-31T12:00:00.240Z", "attempt": 1, "provider": "smtp"},
        {"status": "delivered", "at": "2026-01-31T12:00:03Z", "provider": "smtp"},
    ]
}
PAGE = {"notifications": [SUMMARY], "next_cursor": None}

WITH_FALLBACK = REQUEST | {
    "channel": "push",
    "fallback": {"channel": "email", "after_seconds": 600, "unless": "displayed"},
    "dedupe_key": "order-17-shipped",
    "dedupe_seconds": 86_400,
}
ACCEPTED_WITH_FALLBACK = ACCEPTED | {
    "others": [{"id": "01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5b", "channel": "email", "status": "scheduled"}]
}

SENT_BODY = BodyKwarg(
    media_type=RequestEncodingType.JSON,
    examples=[Example(value=REQUEST), Example(value=WITH_FILES), Example(value=WITH_FALLBACK)],
)
ACCEPTED_ANSWER = ResponseSpec(
    Accepted,
    description="It is committed",
    examples=[Example(value=ACCEPTED), Example(value=ACCEPTED_WITH_FALLBACK)],
)
FOUND_ANSWER = ResponseSpec(Notification, description="Its state", examples=[Example(value=NOTIFICATION)])
PAGE_ANSWER = ResponseSpec(Notifications, description="A page", examples=[Example(value=PAGE)])

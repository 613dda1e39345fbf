"""What the OpenAPI document shows of callbacks: one endpoint that once failed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from tidings.contracts.callbacks import (
    CallbackAttempt,
    CallbackDeliveries,
    CallbackDelivery,
    CallbackEndpoint,
    CallbackEndpointPatch,
    CallbackEndpoints,
    CallbackEndpointWithSecret,
    CallbackTest,
    DeliveryStatus,
    EndpointStatus,
    EventType,
    NewCallbackEndpoint,
    Recovered,
    Recovery,
)
from tidings.gateway.callbacks import signing

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
EVENT_ID = UUID("3f0c9c3e-1f7a-5b0e-8c53-0c7b4b1a9d21")

NEW = NewCallbackEndpoint(
    url="https://shop.example.com/tidings",
    events=[EventType.DELIVERED, EventType.BOUNCED],
    description="The shop's orders",
)
PATCH = CallbackEndpointPatch(events=[EventType.EVERY], enabled=True)
ENDPOINT = CallbackEndpoint(
    id=UUID("01990c3e-9a4b-7e52-b3c1-7d5e2f8a6b90"),
    url=NEW.url,
    events=[EventType.DELIVERED, EventType.BOUNCED],
    channels=[],
    description=NEW.description,
    status=EndpointStatus.ACTIVE,
    failures=0,
    created_at=AT,
    updated_at=AT,
)
WITH_SECRET = CallbackEndpointWithSecret(
    **msgspec.structs.asdict(ENDPOINT), secret=signing.PREFIX + "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0ISE="
)
ENDPOINTS = CallbackEndpoints(endpoints=[ENDPOINT])
TAKEN = CallbackAttempt(at=AT + timedelta(seconds=5), milliseconds=42, status_code=200, answer="ok")
REFUSED = CallbackAttempt(
    at=AT, milliseconds=61, status_code=502, answer="Bad Gateway", error="It answered 502"
)
DELIVERIES = CallbackDeliveries(
    deliveries=[
        CallbackDelivery(
            id=UUID("01990c3e-a1b2-7c3d-9e4f-5a6b7c8d9e0f"),
            event_id=EVENT_ID,
            type=EventType.DELIVERED,
            notification_id=UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a"),
            status=DeliveryStatus.DELIVERED,
            created_at=AT,
            attempts=[REFUSED, TAKEN],
        )
    ]
)
TESTED = CallbackTest(taken=True, event_id=EVENT_ID, attempt=TAKEN)
SINCE = Recovery(since=AT)
RECOVERED = Recovered(recovered=17, more=False)

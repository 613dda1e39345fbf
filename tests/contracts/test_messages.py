"""What travels through the broker, between processes of different ages."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.codes import Channel, Priority, Reason, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent, StatusReport

moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
ids = st.uuids(version=4)
words = st.text()
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
deliveries = st.builds(
    DeliveryMessage,
    schema=st.just(1),
    notification_id=ids,
    request_id=words,
    channel=st.sampled_from(Channel),
    user_id=words,
    template_id=words,
    template_version=st.none() | st.integers(1, 10**6),
    variables=st.dictionaries(st.text(), values, max_size=3),
    locale=st.none() | words,
    priority=st.sampled_from(Priority),
    metadata=st.dictionaries(st.text(), st.text(), max_size=3),
    accepted_at=moments,
    expires_at=st.none() | moments,
)
events = st.builds(
    StatusEvent,
    notification_id=ids,
    status=st.sampled_from(Status),
    at=moments,
    attempt=st.integers(0, 100),
    reason=st.none() | st.sampled_from(Reason),
    detail=st.none() | words,
    provider=st.none() | words,
    provider_ref=st.none() | words,
    next_attempt_at=st.none() | moments,
)
reports = st.builds(StatusReport, schema=st.just(1), events=st.lists(events, max_size=3))

DELIVERY: dict[str, Any] = {
    "schema": 1,
    "notification_id": "01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a",
    "request_id": "order-17",
    "channel": "email",
    "user_id": "ada",
    "template_id": "welcome",
    "accepted_at": "2026-01-31T12:00:00Z",
}


def decode(**changes: object) -> DeliveryMessage:
    return msgspec.json.decode(msgspec.json.encode(DELIVERY | changes), type=DeliveryMessage)


@given(deliveries | reports)
def test_what_is_sent_is_what_is_read(message: DeliveryMessage | StatusReport) -> None:
    """Encoding and decoding a message gives an equal one, whatever it holds."""
    assert msgspec.json.decode(msgspec.json.encode(message), type=type(message)) == message


def test_a_message_of_the_smallest_kind_is_read() -> None:
    """A sender may leave out everything that has a default."""
    message = decode()
    assert message.notification_id == UUID(DELIVERY["notification_id"])
    assert (message.priority, message.template_version, message.variables) == (Priority.NORMAL, None, {})


def test_unknown_fields_of_a_newer_sender_are_ignored() -> None:
    """While old and new processes run side by side, an old one reads what it knows."""
    assert decode(collapse_key="cart", nested={"a": 1}) == decode()
    event = {"notification_id": DELIVERY["notification_id"], "status": "sent", "at": DELIVERY["accepted_at"]}
    report = msgspec.json.encode({"schema": 1, "events": [event | {"provider_region": "eu"}]})
    assert msgspec.json.decode(report, type=StatusReport).events[0].status is Status.SENT


@pytest.mark.parametrize("kind", [DeliveryMessage, StatusReport])
@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_schema_version_is_refused(
    kind: type[DeliveryMessage | StatusReport], schema: object
) -> None:
    """A message of a version we do not know is not guessed at, however well it would fit."""
    message = msgspec.json.encode(DELIVERY | {"events": [], "schema": schema})
    with pytest.raises(msgspec.ValidationError, match=r"\$\.schema"):
        msgspec.json.decode(message, type=kind)


@pytest.mark.parametrize("field", sorted(DELIVERY.keys() - {"schema"}))
def test_a_message_without_a_field_it_needs_is_refused(field: str) -> None:
    """Each field that a worker cannot do without is named when it is missing."""
    message = {name: value for name, value in DELIVERY.items() if name != field}
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(msgspec.json.encode(message), type=DeliveryMessage)


@pytest.mark.parametrize(
    "change",
    [{"notification_id": "17"}, {"channel": "pigeon"}, {"accepted_at": "yesterday"}, {"variables": []}],
)
def test_a_message_with_a_wrong_value_is_refused(change: dict[str, object]) -> None:
    """A value of the wrong form is refused with the field's name."""
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))):
        decode(**change)

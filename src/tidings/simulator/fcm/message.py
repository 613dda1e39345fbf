"""The message of `messages:send`: its shape, and the rules that FCM applies to it.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import re
from typing import Any

import msgspec

from tidings.simulator.fcm import shape
from tidings.simulator.fcm.errors import GoogleError, Violation, invalid_message, malformed, unreadable
from tidings.simulator.fcm.shape import (
    boolean,
    duration,
    enum,
    integer,
    message,
    number,
    repeated,
    string,
    strings,
    struct,
    timestamp,
)

MAX_PAYLOAD_BYTES = 4096
MAX_TOPIC_PAYLOAD_BYTES = 2048
MAX_TTL_SECONDS = 4 * 7 * 24 * 3600

_TOPIC = re.compile(r"(/topics/)?[a-zA-Z0-9-_.~%]{1,900}")
_RESERVED_KEY = re.compile(r"from|message_type|google\..*|gcm\..*", re.DOTALL)
_TARGETS = ("token", "topic", "condition")

_notification = message("Notification", title=string, body=string, image=string)
_color = message("Color", red=number, green=number, blue=number, alpha=number)
_light = message("LightSettings", color=_color, light_on_duration=duration, light_off_duration=duration)
_android_notification = message(
    "AndroidNotification",
    title=string,
    body=string,
    icon=string,
    color=string,
    sound=string,
    tag=string,
    click_action=string,
    body_loc_key=string,
    body_loc_args=repeated(string),
    title_loc_key=string,
    title_loc_args=repeated(string),
    channel_id=string,
    ticker=string,
    sticky=boolean,
    event_time=timestamp,
    local_only=boolean,
    notification_priority=enum(
        "AndroidNotification.NotificationPriority",
        "PRIORITY_UNSPECIFIED",
        "PRIORITY_MIN",
        "PRIORITY_LOW",
        "PRIORITY_DEFAULT",
        "PRIORITY_HIGH",
        "PRIORITY_MAX",
    ),
    default_sound=boolean,
    default_vibrate_timings=boolean,
    default_light_settings=boolean,
    vibrate_timings=repeated(duration),
    visibility=enum(
        "AndroidNotification.Visibility", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"
    ),
    notification_count=integer,
    light_settings=_light,
    image=string,
    bypass_proxy_notification=boolean,
    proxy=enum("AndroidNotification.Proxy", "PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
)
_android = message(
    "AndroidConfig",
    collapse_key=string,
    priority=enum("AndroidMessagePriority", "NORMAL", "HIGH"),
    ttl=duration,
    restricted_package_name=string,
    data=strings,
    notification=_android_notification,
    fcm_options=message("AndroidFcmOptions", analytics_label=string),
    direct_boot_ok=boolean,
    bandwidth_constrained_ok=boolean,
    restricted_satellite_ok=boolean,
)
_webpush = message(
    "WebpushConfig",
    headers=strings,
    data=strings,
    notification=struct,
    fcm_options=message("WebpushFcmOptions", link=string, analytics_label=string),
)
_apns = message(
    "ApnsConfig",
    headers=strings,
    payload=struct,
    fcm_options=message("ApnsFcmOptions", analytics_label=string, image=string),
    live_activity_token=string,
)
_request = message(
    "SendMessageRequest",
    validate_only=boolean,
    message=message(
        "Message",
        name=string,
        data=strings,
        notification=_notification,
        android=_android,
        webpush=_webpush,
        apns=_apns,
        fcm_options=message("FcmOptions", analytics_label=string),
        token=string,
        topic=string,
        condition=string,
    ),
)


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that passed every check. `message` is as it was sent."""

    message: dict[str, Any]
    kind: str
    target: str
    validate_only: bool


def read_request(body: bytes) -> SendRequest:
    """Read and check the body of `messages:send`.

    Raises:
        GoogleError: 400 INVALID_ARGUMENT, with the fields at fault.
    """
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(str(error)) from error
    violations = list(_request("", sent))
    if violations:
        raise malformed(violations)
    asked = _present(sent)
    fields = _present(asked.get("message") or {})
    kind, target = _target(fields)
    _check_data(fields)
    _check_ttl(fields)
    _check_size(fields, MAX_PAYLOAD_BYTES if kind == "token" else MAX_TOPIC_PAYLOAD_BYTES)
    return SendRequest(
        message=sent["message"], kind=kind, target=target, validate_only=bool(asked.get("validate_only"))
    )


def _present(value: dict[str, Any]) -> dict[str, Any]:
    return {shape.snake_case(name): entry for name, entry in value.items() if entry is not None}


def _target(fields: dict[str, Any]) -> tuple[str, str]:
    named = [name for name in _TARGETS if name in fields]
    if len(named) > 1:
        raise _two_targets(named[1])
    if not named or not fields[named[0]]:
        raise invalid_message("message", "Recipient of the message is not set.")
    if named[0] == "topic" and not _TOPIC.fullmatch(fields["topic"]):
        raise invalid_message("message.topic", "Malformed topic name")
    return named[0], fields[named[0]]


def _two_targets(second: str) -> GoogleError:
    words = f"Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set '{second}'"
    return malformed([Violation("message", words)])


def _check_data(fields: dict[str, Any]) -> None:
    for index, key in enumerate(fields.get("data", {})):
        if _RESERVED_KEY.fullmatch(key):
            raise invalid_message(f"message.data[{index}].key", f"Invalid data payload key: {key}")


def _check_ttl(fields: dict[str, Any]) -> None:
    ttl = _present(fields.get("android", {})).get("ttl", "0s")
    if not 0 <= float(ttl.removesuffix("s")) <= MAX_TTL_SECONDS:
        raise invalid_message("message.android.ttl", "TTL must be between 0 and 2419200 seconds")


def _check_size(fields: dict[str, Any], limit: int) -> None:
    android = _present(fields.get("android", {}))
    parts = (
        fields.get("data", {}) | android.get("data", {}),
        fields.get("notification", {}) | android.get("notification", {}),
    )
    size = sum(len(f"{key}{value}".encode()) for part in parts for key, value in part.items())
    if size > limit:
        raise invalid_message("message", "Android message is too big")

"""The message as FCM wants it (docs/push.md has the table).

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import re
from typing import Any

import msgspec

from tidings.push.parcel import PushParcel, app_data, header_tag, present, seconds_left, tag, urgency

MAX_TTL_SECONDS = 28 * 24 * 3600
MAX_PAYLOAD_BYTES = 4096

_TOKEN = re.compile(r"[!-~]{1,4096}")
_PRIORITY = {"high": "HIGH", "low": "NORMAL", "very-low": "NORMAL"}
_NOW = "10"
_WHEN_CONVENIENT = "5"


def looks_like_token(text: str) -> bool:
    """Whether it can be a registration token. Google does not document more of its form."""
    return _TOKEN.fullmatch(text) is not None


def send_request(parcel: PushParcel) -> bytes:
    """The body of `messages:send`."""
    content, silent = parcel.content, parcel.content.manner.silent
    shown = {} if silent else {"title": content.title, "body": content.body, "image": content.image}
    message = {
        "token": parcel.target.token,
        "notification": present(shown),
        "data": app_data(parcel),
        "android": _android(parcel),
        "apns": _apns(parcel),
        "webpush": _webpush(parcel),
    }
    return msgspec.json.encode({"message": present(message)})


def payload_bytes(request: bytes) -> int:
    """What of a request FCM counts: names and values of what is shown and of the data."""
    message = msgspec.json.decode(request)["message"]
    shown = message.get("notification", {}) | message.get("android", {}).get("notification", {})
    fields = [*shown.items(), *message["data"].items()]
    return sum(len(f"{key}{value}".encode()) for key, value in fields)


def _android(parcel: PushParcel) -> dict[str, Any]:
    content, manner = parcel.content, parcel.content.manner
    left = seconds_left(parcel, MAX_TTL_SECONDS)
    shown = {"tag": tag(parcel), "sound": manner.sound, "notification_count": content.badge}
    return present(
        {
            "priority": _PRIORITY.get(urgency(parcel)),
            "ttl": None if left is None else f"{left}s",
            "collapse_key": content.collapse_key,
            "notification": {} if manner.silent else present(shown),
        }
    )


def _apns(parcel: PushParcel) -> dict[str, Any]:
    content, manner = parcel.content, parcel.content.manner
    expires_at = parcel.message.expires_at
    calm = manner.silent or urgency(parcel) in {"low", "very-low"}
    headers = {
        "apns-collapse-id": header_tag(parcel),
        "apns-expiration": None if expires_at is None else str(int(expires_at.timestamp())),
        "apns-priority": _WHEN_CONVENIENT if calm else _NOW if urgency(parcel) == "high" else None,
        "apns-push-type": "background" if manner.silent else None,
    }
    aps = present({"badge": content.badge, "sound": manner.sound})
    if manner.silent:
        aps = {"content-available": 1}
    elif content.image:
        aps["mutable-content"] = 1  # an app's extension has to fetch the image
    image = content.image if not manner.silent else None
    return present(
        {
            "headers": present(headers),
            "payload": {"aps": aps} if aps else None,
            "fcm_options": present({"image": image}),
        }
    )


def _webpush(parcel: PushParcel) -> dict[str, Any]:
    content, manner = parcel.content, parcel.content.manner
    left = seconds_left(parcel, MAX_TTL_SECONDS)
    headers = {
        "TTL": None if left is None else str(left),
        "Urgency": None if urgency(parcel) == "normal" else urgency(parcel),
    }
    buttons = [{"action": action.id, "title": action.title} for action in content.actions]
    shown = {"tag": tag(parcel), "actions": buttons}
    # FCM refuses a link that is not https.
    link = content.link if content.link and content.link.startswith("https://") else None
    return present(
        {
            "headers": present(headers),
            "notification": {} if manner.silent else present(shown),
            "fcm_options": present({"link": link}),
        }
    )

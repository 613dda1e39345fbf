"""What our service worker finds in a push message (docs/push.md has the table)."""

import base64
import hashlib

import msgspec

from tidings.push.parcel import PushParcel, present, tag
from tidings.push.providers.outfit import ReportUrl

MAX_TTL_SECONDS = 28 * 24 * 3600
TOPIC_CHARACTERS = 32


def payload(parcel: PushParcel, report_url: ReportUrl | None = None) -> bytes:
    """JSON, with only those fields that say something. Titles are never empty, so `title` is always there."""
    content, manner = parcel.content, parcel.content.manner
    reports = report_url and report_url(parcel.message.notification_id, parcel.target.id)
    fields = {
        "notification_id": str(parcel.message.notification_id),
        "title": content.title,
        "body": content.body,
        "image": content.image,
        "link": content.link,
        "tag": tag(parcel),
        "badge": content.badge,
        "silent": manner.silent or None,
        "actions": [present(msgspec.to_builtins(action)) for action in content.actions],
        "data": content.data,
        "engagement_url": reports,
    }
    return msgspec.json.encode(present(fields))


def topic(parcel: PushParcel) -> str:
    """The name under which a push service keeps only the newest message for a device that is offline.

    It is made of the tag: what would take another's place on the screen takes it in the queue too. RFC
    8030 allows 32 characters of base64url.
    """
    digest = hashlib.sha256(tag(parcel).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:TOPIC_CHARACTERS]

"""What a stream of events tells: steps of notifications, as they become known."""

from uuid import UUID

from tidings.contracts.codes import Channel
from tidings.contracts.notifications import TimelineEvent


class NotificationStep(TimelineEvent, frozen=True, kw_only=True):
    """One step in the life of a notification, and which notification that is.

    `sandbox`: it was sent with a test key.
    """

    notification_id: UUID
    request_id: str
    channel: Channel
    user_id: str
    template_id: str
    sandbox: bool = False

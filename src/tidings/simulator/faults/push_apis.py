"""Faults of the push providers' HTTP APIs."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.simulator.faults.base import BaseFault
from tidings.simulator.faults.mail_apis import MailApiFault, Status


class WebPushFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="webpush"):
    """A fault of the Web Push service; `match` looks into the endpoint."""


class OneSignalFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="onesignal"):
    """A fault of OneSignal's notifications."""


class ExpoFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="expo"):
    """A fault of Expo's push service. What a single ticket says follows from its token."""


class ExpoReceiptsFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="expo_receipts"):
    """A fault of Expo's receipts. What a single receipt says follows from its push's token."""


class ApnsFault(BaseFault, frozen=True, kw_only=True, tag_field="provider", tag="apns"):
    """A fault of APNs. `reason` is Apple's word where a status has several.

    `goaway` closes the connection as a server that shuts down does: `unprocessed` tells the client that
    no request was looked at, `processed` that this one was, and the push is taken; neither is answered.
    `graceful` answers whatever has come so far, and takes nothing more.
    """

    status: Status | None = None
    reason: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,60}$", examples=["ExpiredProviderToken"])] | None = None
    retry_after: Annotated[int, Meta(ge=0, description="seconds in the header Retry-After")] | None = None
    goaway: Literal["unprocessed", "processed", "graceful"] | None = None

    def __post_init__(self) -> None:
        self.check_effects("status", self.status, others=self.goaway is not None)
        if self.status is None and (self.reason is not None or self.retry_after is not None):
            raise ValueError("`reason` and `retry_after` need `status`")
        if self.goaway and (self.status or self.drop_connection or self.drop_response):
            raise ValueError("`goaway` excludes every other end of the request")

"""Faults of Firebase Cloud Messaging."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.simulator.faults.base import BaseFault


class FcmFault(BaseFault, frozen=True, kw_only=True, tag_field="provider", tag="fcm"):
    """A fault of FCM's `messages:send`, with Google's error body for `status`."""

    status: Literal[400, 401, 403, 404, 429, 500, 502, 503, 504] | None = None
    retry_after: Annotated[int, Meta(ge=0, description="seconds in the header Retry-After")] | None = None

    def __post_init__(self) -> None:
        self.check_effects("status", self.status)
        if self.retry_after is not None and self.status is None:
            raise ValueError("`retry_after` needs `status`")

"""Faults of Firebase Cloud Messaging."""

from typing import Literal

from tidings.simulator.faults.mail_apis import MailApiFault


class FcmFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="fcm"):
    """A fault of FCM's `messages:send`, with Google's error body for `status`."""

    status: Literal[400, 401, 403, 404, 429, 500, 502, 503, 504] | None = None


class GoogleTokenFault(MailApiFault, frozen=True, kw_only=True, tag_field="provider", tag="google_token"):
    """A fault of Google's token endpoint; nothing here can be matched."""

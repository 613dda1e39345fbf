"""What the providers file may say about each kind of push provider."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.providers_file import ProviderConfig

Secret = Annotated[str, Meta(min_length=1, max_length=10_000)]
Url = Annotated[str, Meta(pattern=r"^https?://[^/]")]


class FcmConfig(ProviderConfig, frozen=True, kw_only=True, tag="fcm"):
    """Firebase Cloud Messaging, HTTP v1, with a service account's key file (JSON).

    Google advises to wait ten seconds or more for an answer.
    """

    credentials_file: Annotated[str, Meta(min_length=1)]
    url: Url = "https://fcm.googleapis.com"


class WebPushConfig(ProviderConfig, frozen=True, kw_only=True, tag="webpush"):
    """Web Push (RFC 8030), signed with a VAPID key that `tidings push keys` makes.

    `subject` is where a push service complains: a mailto: or https: address. The key is given in
    `private_key` (base64url, or PEM) or in a file that holds either.
    """

    subject: Annotated[str, Meta(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://[^\s]+)$")]
    private_key: Secret | None = None
    private_key_file: str | None = None


class ApnsConfig(ProviderConfig, frozen=True, kw_only=True, tag="apns"):
    """Apple Push Notification service, with a signing key (.p8) of the team's.

    `topic` is the app's bundle id. Tokens of builds that Xcode installs are of the `development`
    environment, all others of `production`. `url` is for a stand-in.
    """

    key_file: Annotated[str, Meta(min_length=1)]
    key_id: Annotated[str, Meta(pattern=r"^[A-Z0-9]{10}$")]
    team_id: Annotated[str, Meta(pattern=r"^[A-Z0-9]{10}$")]
    topic: Annotated[str, Meta(min_length=1, max_length=255)]
    environment: Literal["production", "development"] = "production"
    url: Url | None = None


class OneSignalConfig(ProviderConfig, frozen=True, kw_only=True, tag="onesignal"):
    """OneSignal. Devices are registered by their subscription id."""

    app_id: Annotated[str, Meta(min_length=1, max_length=100)]
    api_key: Secret
    url: Url = "https://api.onesignal.com"


class ExpoConfig(ProviderConfig, frozen=True, kw_only=True, tag="expo"):
    """Expo's push service. An access token is needed where the project has enhanced security switched on."""

    access_token: Secret | None = None
    url: Url = "https://exp.host"


class ConsoleConfig(ProviderConfig, frozen=True, kw_only=True, tag="console"):
    """A dry run: every push is printed, and none is sent."""


PushProviderConfig = FcmConfig | WebPushConfig | ApnsConfig | OneSignalConfig | ExpoConfig | ConsoleConfig

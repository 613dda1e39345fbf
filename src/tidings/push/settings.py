"""Settings of the push service."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.settings import ChannelSettings


class PushSettings(ChannelSettings, frozen=True, kw_only=True):
    """Where push notifications go out."""

    provider: Annotated[Literal["fcm"], Meta(description="the way out", examples=["fcm"])] = "fcm"
    fcm_credentials_file: Annotated[
        str,
        Meta(
            description="a Firebase service account's key (JSON)",
            examples=["/run/secrets/fcm-service-account.json"],
        ),
    ]
    fcm_url: Annotated[
        str, Meta(description="base of the FCM HTTP v1 API", examples=["https://fcm.googleapis.com"])
    ] = "https://fcm.googleapis.com"
    fcm_seconds: Annotated[
        float, Meta(ge=10, description="time limit of a request; Google advises 10 or more", examples=["10"])
    ] = 10.0

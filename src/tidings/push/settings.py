"""Settings of the push service."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from tidings.delivery.providers_file import ProviderConfig, Providers, in_order, read_providers
from tidings.delivery.settings import ChannelSettings
from tidings.kit.settings import SettingsError
from tidings.push.providers.configs import FcmConfig, PushProviderConfig, WebPushConfig


class PushSettings(ChannelSettings, frozen=True, kw_only=True):
    """Where push notifications go out. One FCM project and one VAPID key need no providers file."""

    providers_file: (
        Annotated[
            str,
            Meta(
                description="a TOML file of several providers, in place of the one FCM project and VAPID key",
                examples=["/etc/tidings/push-providers.toml"],
            ),
        ]
        | None
    ) = None
    fcm_credentials_file: (
        Annotated[
            str,
            Meta(
                description="a Firebase service account's key (JSON)",
                examples=["/run/secrets/fcm-service-account.json"],
            ),
        ]
        | None
    ) = None
    fcm_url: Annotated[
        str, Meta(description="base of the FCM HTTP v1 API", examples=["https://fcm.googleapis.com"])
    ] = "https://fcm.googleapis.com"
    fcm_seconds: Annotated[
        float, Meta(ge=10, description="time limit of a request; Google advises 10 or more", examples=["10"])
    ] = 10.0
    vapid_private_key: (
        Annotated[
            str,
            Meta(
                description="switches Web Push on: the private key that `tidings push keys` makes",
                examples=["the output of: tidings push keys"],
            ),
        ]
        | None
    ) = None
    vapid_subject: (
        Annotated[
            str,
            Meta(
                description="where a push service complains about Web Push",
                examples=["mailto:ops@example.com"],
            ),
        ]
        | None
    ) = None
    webpush_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="host:port of internal push services that subscriptions may name; the public "
            "internet always may",
            examples=["push.internal:8443"],
        ),
    ] = ()

    receipt_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=43_200,
            description="how long after a push Expo is asked for its receipt; Expo advises 15 minutes",
            examples=["900"],
        ),
    ] = 900.0

    def remedy(self, kind: str) -> str:
        """What an operator sets to have a provider of this kind, for people."""
        if self.providers_file is not None:
            return f'add a table with kind = "{kind}" to the file in TIDINGS_PUSH_PROVIDERS_FILE'
        if kind in _VARIABLES:
            return f"set {_VARIABLES[kind]}"
        return (
            f'name one with kind = "{kind}" in a file for TIDINGS_PUSH_PROVIDERS_FILE, beside those that are '
            "set up now"
        )

    def providers(self) -> Providers:
        """The ways out: those of the providers file, else FCM and Web Push as far as there are keys.

        Raises:
            SettingsError: there is none, or the file is malformed.
        """
        if self.providers_file is not None:
            return read_providers(Path(self.providers_file), PushProviderConfig)
        configs: dict[str, ProviderConfig] = {}
        if self.fcm_credentials_file is not None:
            configs["fcm"] = FcmConfig(
                credentials_file=self.fcm_credentials_file, url=self.fcm_url, seconds=self.fcm_seconds
            )
        if self.vapid_private_key is not None:
            if self.vapid_subject is None:
                raise SettingsError(
                    "The push service cannot start.\n  TIDINGS_PUSH_VAPID_SUBJECT is not set: where a push "
                    "service complains, for example mailto:ops@example.com"
                )
            configs["webpush"] = WebPushConfig(subject=self.vapid_subject, private_key=self.vapid_private_key)
        if not configs:
            raise SettingsError(
                "The push service cannot start.\n  TIDINGS_PUSH_FCM_CREDENTIALS_FILE is not set: a Firebase "
                "service account's key, for example /run/secrets/fcm-service-account.json; or give "
                "TIDINGS_PUSH_VAPID_PRIVATE_KEY for Web Push, or name several providers in "
                "TIDINGS_PUSH_PROVIDERS_FILE"
            )
        return in_order(configs)


_VARIABLES = {
    "fcm": "TIDINGS_PUSH_FCM_CREDENTIALS_FILE",
    "webpush": "TIDINGS_PUSH_VAPID_PRIVATE_KEY and TIDINGS_PUSH_VAPID_SUBJECT",
}

"""The ways a push can leave. A new provider is one file here, its config beside it, and one line below."""

from collections.abc import Sequence
from typing import Any

from tidings.delivery.providers_file import ProviderConfig, Providers
from tidings.push.parcel import PushProvider
from tidings.push.providers import configs
from tidings.push.providers.apns import ApnsProvider
from tidings.push.providers.console import ConsoleProvider
from tidings.push.providers.expo import ExpoProvider
from tidings.push.providers.fcm import FcmProvider
from tidings.push.providers.onesignal import OneSignalProvider
from tidings.push.providers.outfit import PushOutfit
from tidings.push.providers.webpush import WebPushProvider

KINDS: dict[type[ProviderConfig], Any] = {
    configs.FcmConfig: FcmProvider,
    configs.WebPushConfig: WebPushProvider,
    configs.ApnsConfig: ApnsProvider,
    configs.OneSignalConfig: OneSignalProvider,
    configs.ExpoConfig: ExpoProvider,
    configs.ConsoleConfig: ConsoleProvider,
}


def make_providers(file: Providers, outfit: PushOutfit) -> Sequence[PushProvider]:
    """The providers of a providers file, in its order.

    Raises:
        SettingsError: one lacks what its kind needs.
    """
    return [KINDS[type(config)](name, config, outfit) for name, config in file.configs.items()]

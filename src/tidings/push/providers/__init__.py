"""The ways a push can leave. A new provider is one file here, its config beside it, and one line below."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from tidings.delivery.providers_file import ProviderConfig, Providers
from tidings.push.parcel import PushProvider
from tidings.push.providers import configs
from tidings.push.providers.apns import ApnsProvider
from tidings.push.providers.console import ConsoleProvider
from tidings.push.providers.expo import ExpoProvider
from tidings.push.providers.expo_receipts import ExpoReceipts
from tidings.push.providers.fcm import FcmProvider
from tidings.push.providers.onesignal import OneSignalProvider
from tidings.push.providers.outfit import PushOutfit
from tidings.push.providers.webpush import WebPushProvider
from tidings.push.receipts.asking import GivesReceipts

KINDS: dict[type[ProviderConfig], Any] = {
    configs.FcmConfig: FcmProvider,
    configs.WebPushConfig: WebPushProvider,
    configs.ApnsConfig: ApnsProvider,
    configs.OneSignalConfig: OneSignalProvider,
    configs.ExpoConfig: ExpoProvider,
    configs.ConsoleConfig: ConsoleProvider,
}

RECEIPT_KINDS: dict[type[ProviderConfig], Any] = {configs.ExpoConfig: ExpoReceipts}
"""The kinds that tell later what became of a push, when they are asked."""


def make_providers(file: Providers, outfit: PushOutfit) -> Sequence[PushProvider]:
    """The providers of a providers file, in its order.

    Raises:
        SettingsError: one lacks what its kind needs.
    """
    return [KINDS[type(config)](name, config, outfit) for name, config in file.configs.items()]


def receipt_givers(file: Providers) -> Mapping[str, ProviderConfig]:
    """The providers of a file that give receipts, by name."""
    return {name: config for name, config in file.configs.items() if type(config) in RECEIPT_KINDS}


def make_receipts(file: Providers, session: aiohttp.ClientSession) -> Sequence[GivesReceipts]:
    """Their sides that do."""
    return [
        RECEIPT_KINDS[type(config)](name, config, session) for name, config in receipt_givers(file).items()
    ]

"""The ways a push notification can leave. A new provider is one file here and one line below."""

from collections.abc import Callable

import aiohttp

from tidings.contracts.templates import RenderedPush
from tidings.contracts.users import PushToken
from tidings.delivery.channel import Provider
from tidings.push.providers.fcm import FcmProvider
from tidings.push.settings import PushSettings

PushProvider = Provider[RenderedPush, PushToken]

PROVIDERS: dict[str, Callable[[PushSettings, aiohttp.ClientSession], PushProvider]] = {
    "fcm": FcmProvider,
}

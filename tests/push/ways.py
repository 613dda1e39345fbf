"""The push providers, each led to the simulator, with devices to send to."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from simulator.running import Simulator
from support.parcels import new_message, parcel_of, ready
from tidings.client.http import open_session
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedPush
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer
from tidings.delivery.providers_file import ProviderConfig
from tidings.kit.ids import now
from tidings.kit.outbound import open_outbound
from tidings.push.keys import make_vapid_keys
from tidings.push.parcel import PushProvider
from tidings.push.providers import KINDS, configs
from tidings.push.providers.outfit import PushOutfit
from tidings.simulator.mail_apis.exchange import API_KEY
from tidings.simulator.push_apis.apns import KEY_ID, TEAM_ID
from tidings.simulator.push_apis.onesignal import APP_ID

CONTENT = RenderedPush(title="Grüße", body="An order is here", link="https://example.com/7")
ALL = ("fcm", "webpush", "apns", "onesignal", "expo")
VAPID_KEYS = make_vapid_keys()


@dataclass(frozen=True)
class Outside:
    """A simulator with an APNs."""

    simulator: Simulator
    apns_url: str
    apns_key_file: Path

    @property
    def url(self) -> str:
        return str(self.simulator.http.base_url).rstrip("/")

    async def subscribe(self, public_key: str = VAPID_KEYS.public) -> PushToken:
        """A browser that allows pushes from the owner of this key."""
        path, key = "/api/webpush/subscriptions", {"applicationServerKey": public_key}
        answer = await self.simulator.http.post(path, json=key)
        subscription = answer.raise_for_status().json()
        return device("webpush", subscription["endpoint"], subscription)

    async def unsubscribed(self) -> PushToken:
        """A browser that withdrew its permission."""
        browser = await self.subscribe()
        name = browser.token.rpartition("/")[2]
        (await self.simulator.http.delete(f"/api/webpush/subscriptions/{name}")).raise_for_status()
        return browser


@dataclass(frozen=True)
class Way:
    """One provider and its devices. Each device is a new one."""

    kind: str
    provider: PushProvider
    device: Callable[[], Awaitable[PushToken]]
    dead: Callable[[], Awaitable[PushToken]]
    malformed: PushToken

    async def send(
        self,
        content: RenderedPush = CONTENT,
        *,
        to: PushToken | None = None,
        message: DeliveryMessage | None = None,
        before_body: BeforeBody = ready,
    ) -> Answer:
        """Send to the device, or to a new one."""
        whole = message or new_message(Channel.PUSH)
        return await self.provider.send(parcel_of(whole, content, to or await self.device()), before_body)


@asynccontextmanager
async def open_way(
    kind: str, outside: Outside, *, reaching: str = "", **changes: object
) -> AsyncIterator[Way]:
    """A provider for the simulator; `changes` replace fields of its config.

    Subscriptions may lead to the simulator, and to the host and port `reaching`.
    """
    config = msgspec.structs.replace(_config(kind, outside), **changes)
    allowed = frozenset({outside.url.removeprefix("http://"), reaching})
    async with open_session() as session, open_outbound(allow=allowed) as outbound:
        provider = KINDS[type(config)](kind, config, PushOutfit(session, outbound))
        devices = _devices(kind, outside)
        try:
            yield Way(kind, provider, *devices)
        finally:
            await provider.close()


def device(provider: str, token: str, subscription: dict[str, Any] | None = None) -> PushToken:
    """A registered device."""
    return PushToken(id=uuid4(), provider=provider, token=token, subscription=subscription, created_at=now())


def _config(kind: str, outside: Outside) -> ProviderConfig:
    match kind:
        case "fcm":
            file = str(outside.simulator.account_file)
            return configs.FcmConfig(credentials_file=file, url=f"{outside.url}/fcm")
        case "webpush":
            subject = "mailto:ops@example.com"
            return configs.WebPushConfig(subject=subject, private_key=VAPID_KEYS.private)
        case "apns":
            return configs.ApnsConfig(
                key_file=str(outside.apns_key_file),
                key_id=KEY_ID,
                team_id=TEAM_ID,
                topic="com.example.app",
                url=outside.apns_url,
            )
        case "onesignal":
            return configs.OneSignalConfig(app_id=APP_ID, api_key=API_KEY, url=f"{outside.url}/onesignal")
        case _:
            return configs.ExpoConfig(access_token=API_KEY, url=f"{outside.url}/expo")


def _devices(
    kind: str, outside: Outside
) -> tuple[Callable[[], Awaitable[PushToken]], Callable[[], Awaitable[PushToken]], PushToken]:
    def named(make: Callable[[], str]) -> Callable[[], Awaitable[PushToken]]:
        async def one() -> PushToken:
            return device(kind, make())

        return one

    match kind:
        case "fcm":
            new, dead, bad = lambda: f"device-{uuid4()}", lambda: f"unregistered-{uuid4()}", "two words"
        case "apns":
            new = lambda: f"a1{secrets.token_hex(31)}"  # noqa: E731 - one line a kind
            dead, bad = lambda: f"dead{secrets.token_hex(30)}", "not hexadecimal"
        case "onesignal":
            new = lambda: f"a1b2{str(uuid4())[4:]}"  # noqa: E731 - the same
            dead, bad = lambda: f"dead{str(uuid4())[4:]}", "no-uuid"
        case "expo":
            new = lambda: f"ExponentPushToken[x{uuid4()}]"  # noqa: E731 - the same
            dead, bad = lambda: f"ExponentPushToken[dead{uuid4()}]", "PushToken[1]"
        case _:
            broken = {"endpoint": outside.url, "keys": {"p256dh": "AAAA", "auth": "AAAA"}}
            malformed = device("webpush", f"{outside.url}/webpush/x", broken)
            return outside.subscribe, outside.unsubscribed, malformed
    return named(new), named(dead), device(kind, bad)

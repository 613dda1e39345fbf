"""What a push costs with each provider: `.venv/bin/python benchmarks/push.py`.

One process sends to 1,000 devices, 50 at a time as the push service does, over HTTP to a sink in another
process that says yes to everything: requests are built, Web Push is encrypted and signed, answers are read.
The queue, the ledger and the status reports are not in it: `email.py` measures those, and push has the
same. At the end stands the encryption alone, against pywebpush (`push_encryption.py`).
"""

import asyncio
import os
import secrets
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import perf_counter, process_time
from uuid import UUID, uuid4

import msgspec
import push_encryption
import uvloop
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from push_sink import PushSink, running_push_sink

from tidings.client.http import open_session
from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedAction, RenderedPush
from tidings.contracts.users import Contact, Preferences, PushToken
from tidings.delivery.channel import Parcel
from tidings.delivery.outcome import Taken
from tidings.delivery.providers_file import ProviderConfig, in_order
from tidings.kit.ids import new_id, now
from tidings.kit.outbound import open_outbound
from tidings.push.keys import base64url, make_vapid_keys, public_point
from tidings.push.parcel import PushParcel, PushProvider
from tidings.push.providers import configs, make_providers
from tidings.push.providers.outfit import PushOutfit
from tidings.simulator.fcm.service_account import open_service_account
from tidings.simulator.push_apis.apns import KEY_ID, TEAM_ID
from tidings.simulator.push_apis.apns.key import open_signing_key

DEVICES = 1_000
PUSHES = 4_000
AT_ONCE = 50
ROUNDS = 3
CONTENT = RenderedPush(
    title="Order 7 is on its way",
    body="We packed it tonight and send it within two days. Track it, or change where it goes.",
    link="https://shop.example/orders/7",
    actions=[RenderedAction(id="track", title="Track", link="https://shop.example/track/7")],
    data={"order": "7"},
    collapse_key="order-7",
)
CONTACT = Contact(user_id=UUID(int=7), name="Ada", preferences=Preferences())


@dataclass(frozen=True, slots=True)
class Rate:
    """Devices a second, and microseconds of CPU for each in the process that sends."""

    per_second: float
    cpu: float


def main() -> None:
    """Measure and print."""
    with running_push_sink() as sink, tempfile.TemporaryDirectory() as folder:
        rates = uvloop.run(_measure(sink, Path(folder)))
    print(f"Sending, {AT_ONCE} at a time, median of {ROUNDS} x {PUSHES:,}\n")
    print(f"{'':12}{'devices/s':>14}{'CPU us/device':>16}")
    for name, rate in rates.items():
        print(f"{name:12}{rate.per_second:14,.0f}{rate.cpu:16,.0f}")
    print()
    push_encryption.main()


async def _measure(sink: PushSink, folder: Path) -> dict[str, Rate]:
    async with _providers(sink, folder) as providers:
        parcels = {one.name: _parcels(_DEVICES[one.name], sink) for one in providers}
        rounds = [
            {one.name: await _rate(one, parcels[one.name]) for one in providers} for _ in range(ROUNDS + 1)
        ][1:]  # the first one only warms up
    return {
        one.name: Rate(
            statistics.median(each[one.name].per_second for each in rounds),
            statistics.median(each[one.name].cpu for each in rounds),
        )
        for one in providers
    }


@asynccontextmanager
async def _providers(sink: PushSink, folder: Path) -> AsyncIterator[list[PushProvider]]:
    hosts = frozenset({sink.url.removeprefix("http://")})
    async with open_session(connections=AT_ONCE) as session, open_outbound(allow=hosts) as outbound:
        file = in_order(_configs(sink, folder))
        providers = list(make_providers(file, PushOutfit(session, outbound, _report_url)))
        try:
            yield providers
        finally:
            for one in providers:
                await one.close()


def _configs(sink: PushSink, folder: Path) -> Mapping[str, ProviderConfig]:
    account, key_file = folder / "account.json", folder / "key.p8"
    open_service_account(account, token_uri=f"{sink.url}/token")
    open_signing_key(key_file)
    return {
        "fcm": configs.FcmConfig(credentials_file=str(account), url=sink.url),
        "webpush": configs.WebPushConfig(
            subject="mailto:ops@example.com", private_key=make_vapid_keys().private
        ),
        "apns": configs.ApnsConfig(
            key_file=str(key_file),
            key_id=KEY_ID,
            team_id=TEAM_ID,
            topic="com.example.app",
            url=sink.apns_url,
        ),
        "onesignal": configs.OneSignalConfig(app_id=str(uuid4()), api_key="key", url=sink.url),
        "expo": configs.ExpoConfig(url=sink.url),
    }


def _report_url(notification_id: UUID, device_id: UUID) -> str:
    """As long as a real one, without its signature: that is one HMAC."""
    return f"https://notify.example.com/e/{notification_id.hex}{device_id.hex}{'x' * 60}"


def _browser(sink: PushSink) -> PushToken:
    key = generate_private_key(SECP256R1()).public_key()
    keys = {"p256dh": base64url(public_point(key)), "auth": base64url(os.urandom(16))}
    endpoint = f"{sink.url}/{secrets.token_urlsafe(100)}"
    return msgspec.structs.replace(
        _device("webpush", endpoint), subscription={"endpoint": endpoint, "keys": keys}
    )


def _device(provider: str, token: str) -> PushToken:
    return PushToken(id=uuid4(), provider=provider, token=token, created_at=now())


_DEVICES: dict[str, Callable[[PushSink], PushToken]] = {
    "fcm": lambda _: _device("fcm", f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(100)}"),
    "webpush": _browser,
    "apns": lambda _: _device("apns", secrets.token_hex(32)),
    "onesignal": lambda _: _device("onesignal", str(uuid4())),
    "expo": lambda _: _device("expo", f"ExponentPushToken[{secrets.token_urlsafe(16)}]"),
}


def _parcels(new: Callable[[PushSink], PushToken], sink: PushSink) -> list[PushParcel]:
    devices = [new(sink) for _ in range(DEVICES)]
    return [Parcel(_message(), CONTACT, device, CONTENT) for _, device in zip(range(PUSHES), cycle(devices))]


def _message() -> DeliveryMessage:
    return DeliveryMessage(
        notification_id=new_id(),
        request_id="request",
        channel=Channel.PUSH,
        user_id=str(CONTACT.user_id),
        template_id="order-shipped",
        accepted_at=now(),
    )


async def _rate(provider: PushProvider, parcels: list[PushParcel]) -> Rate:
    waiting = iter(parcels)

    async def some() -> None:
        for parcel in waiting:
            answer = await provider.send(parcel, _claimed)
            if not isinstance(answer, Taken):
                raise TypeError(f"The sink refused a push: {answer}")

    began, started = perf_counter(), process_time()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    elapsed, used = perf_counter() - began, process_time() - started
    return Rate(len(parcels) / elapsed, used / len(parcels) * 1e6)


async def _claimed() -> None:
    """What is awaited before a push goes out: the claim in the ledger, which is no part of this."""


if __name__ == "__main__":
    main()

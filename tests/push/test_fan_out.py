"""One notification, many devices: each goes to its own kind of provider, and each has its own end."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from push.outside import end_of, only_these_stay, publish, pushes_to
from push.ways import Outside
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Reason, Status, Step
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings
from tidings.simulator.mail_apis.exchange import API_KEY
from tidings.simulator.push_apis.apns import KEY_ID, TEAM_ID
from tidings.simulator.push_apis.onesignal import APP_ID

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def worker(
    settings: PushSettings, outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    """A push service with a providers file of four kinds."""
    file = tmp_path_factory.mktemp("providers") / "push.toml"
    write_providers(file, outside)
    many = msgspec.structs.replace(
        settings, port=free_port(), fcm_credentials_file=None, providers_file=str(file)
    )
    async with service_process("push", many) as worker:
        yield worker


def write_providers(file: Path, outside: Outside) -> None:
    """A providers file that leads to the simulator."""
    file.write_text(
        f"""
        [providers.firebase]
        kind = "fcm"
        credentials_file = "{outside.simulator.account_file}"
        url = "{outside.url}/fcm"

        [providers.apple]
        kind = "apns"
        key_file = "{outside.apns_key_file}"
        key_id = "{KEY_ID}"
        team_id = "{TEAM_ID}"
        topic = "com.example.app"
        url = "{outside.apns_url}"

        [providers.one]
        kind = "onesignal"
        app_id = "{APP_ID}"
        api_key = "{API_KEY}"
        url = "{outside.url}/onesignal"

        [providers.expo]
        kind = "expo"
        url = "{outside.url}/expo"
        """
    )


async def add(world: World, user_id: str, provider: str, token: str) -> str:
    await world.users.add(f"/users/{user_id}/tokens", {"provider": provider, "token": token})
    return token


async def test_each_device_has_its_own_provider(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """A person with four kinds of device gets the notification on each, once, by its own provider."""
    tokens = {
        "fcm": token,
        "apns": await add(world, user_id, "apns", f"a1{uuid4().hex}{uuid4().hex}"),
        "onesignal": await add(world, user_id, "onesignal", f"a1b2{str(uuid4())[4:]}"),
        "expo": await add(world, user_id, "expo", f"ExponentPushToken[x{uuid4()}]"),
    }
    end = await end_of(reports, await publish(broker, user_id))
    assert end.status is Status.SENT
    arrived = {kind: await pushes_to(simulator, each) for kind, each in tokens.items()}
    assert {kind: [push["provider"] for push in pushes] for kind, pushes in arrived.items()} == {
        kind: [kind] for kind in tokens
    }


async def test_half_of_many_devices_are_dead(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator
) -> None:
    """Of twenty devices half are dead: the others get it once, and the dead ones are deregistered."""
    user_id = await world.add_user()
    alive = [await add(world, user_id, "expo", f"ExponentPushToken[x{uuid4()}]") for _ in range(10)]
    for _ in range(5):
        await add(world, user_id, "expo", f"ExponentPushToken[dead{uuid4()}]")
        await add(world, user_id, "fcm", f"unregistered-{uuid4()}")
    end = await end_of(reports, await publish(broker, user_id))
    assert end.status is Status.SENT
    await only_these_stay(world, user_id, *alive)
    assert Counter([len(await pushes_to(simulator, each)) for each in alive]) == {1: 10}


async def test_a_trace_tells_each_way_once(broker: Broker, reports: Reports, world: World) -> None:
    """However many devices went a way, the trace names it once; it holds no token."""
    user_id = await world.add_user()
    tokens = [f"ExponentPushToken[{kind}{uuid4()}]" for kind in ("x", "x", "x", "dead", "dead")]
    for token in tokens:
        await add(world, user_id, "expo", token)
    end = await end_of(reports, await publish(broker, user_id))
    at_providers = [one.detail for one in end.trace if one.step == Step.PROVIDER]
    assert Counter(at_providers) == {
        "firebase: it does not reach this address or device": 1,
        "apple: it does not reach this address or device": 1,
        "one: it does not reach this address or device": 1,
        "expo: taken": 1,
        "expo: recipient": 1,
    }
    assert "5 devices" in [one.detail for one in end.trace if one.step == Step.ADDRESS]
    assert [token for token in tokens if token in str(end.trace)] == []


async def test_no_device_that_any_provider_reaches(broker: Broker, reports: Reports, world: World) -> None:
    """A person with no device, or with none that a provider is set up for, fails at once."""
    endpoint = "https://push.example/1"
    key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    subscription = {"endpoint": endpoint, "keys": {"p256dh": key, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}
    nobody, browser = await world.add_user(), await world.add_user()
    await world.users.add(f"/users/{browser}/tokens", {"provider": "webpush", "subscription": subscription})
    for user_id, reason in ((nobody, Reason.NO_PUSH_TOKEN), (browser, Reason.NO_PUSH_PROVIDER)):
        end = await end_of(reports, await publish(broker, user_id))
        assert (end.status, end.reason) == (Status.FAILED, reason)
    assert 'kind = "webpush"' in (end.detail or "")


async def test_a_magic_device_beside_real_ones(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """A magic device lives in the sandbox, and goes when it is dead; the real one gets the push."""
    await add(world, user_id, "apns", "tidings-sandbox-dead")
    end = await end_of(reports, await publish(broker, user_id))
    assert end.status is Status.SENT
    assert len(await pushes_to(simulator, token)) == 1
    await only_these_stay(world, user_id, token)


async def test_a_test_key_reaches_no_provider(
    *, broker: Broker, reports: Reports, simulator: Simulator, user_id: str, token: str
) -> None:
    """What was accepted with a test key is sent in the sandbox alone."""
    end = await end_of(reports, await publish(broker, user_id, sandbox=True))
    assert (end.status, end.provider) == (Status.SENT, "sandbox")
    assert await pushes_to(simulator, token) == []

"""The sandbox and the dry run: pushes that go nowhere."""

import io
from uuid import uuid4

import msgspec
import pytest

from push.ways import CONTENT, device
from support.parcels import new_message, parcel_of, ready
from tidings.client.http import open_session
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.outcome import Refused, Taken
from tidings.kit.outbound import open_outbound
from tidings.push.providers.configs import ConsoleConfig
from tidings.push.providers.console import ConsoleProvider
from tidings.push.providers.outfit import PushOutfit
from tidings.push.sandbox import SandboxProvider, is_magic

MAGIC = [
    ("dead", ErrorOwner.RECIPIENT, True),
    ("throttled", ErrorOwner.THROTTLE, False),
    ("unavailable", ErrorOwner.OUTAGE, False),
    ("too-large", ErrorOwner.CONTENT, False),
]


def magic(kind: str, name: str) -> PushToken:
    """A magic device, as it is registered for an app and for a browser."""
    if kind == "webpush":
        return device(kind, f"https://simulator.tidings.test/{name}")
    return device(kind, f"tidings-sandbox-{name}")


@pytest.mark.parametrize("kind", ["fcm", "webpush"])
@pytest.mark.parametrize(("name", "owner", "dead"), MAGIC)
async def test_a_magic_device_behaves_as_it_is_named(
    kind: str, name: str, owner: ErrorOwner, *, dead: bool
) -> None:
    """Each magic device is refused as a real one would be, and says nothing about a provider as a whole."""
    target = magic(kind, name)
    answer = await SandboxProvider().send(parcel_of(new_message(Channel.PUSH), CONTENT, target), ready)
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead, answer.provider_wide) == (owner, dead, False)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (magic("fcm", "sent"), True),
        (magic("webpush", "sent"), True),
        (magic("expo", "anything"), True),
        (device("fcm", f"device-{uuid4()}"), False),
        (device("webpush", "https://push.example/simulator.tidings.test/dead"), False),
        (device("webpush", "https://simulator.tidings.test.example/dead"), False),
    ],
)
async def test_all_other_devices_take_everything(target: PushToken, *, expected: bool) -> None:
    """In the sandbox a push to any device is sent, whether the device is a magic one or not."""
    answer = await SandboxProvider().send(parcel_of(new_message(Channel.PUSH), CONTENT, target), ready)
    assert isinstance(answer, Taken)
    assert is_magic(target) == expected


async def test_a_dry_run_prints_what_would_have_gone_out() -> None:
    """One line of JSON per push, with all words and only the beginning of the token."""
    out, message = io.StringIO(), new_message(Channel.PUSH)
    target = device("fcm", f"secretly-{uuid4()}")
    async with open_session() as session, open_outbound() as outbound:
        provider = ConsoleProvider("dry", ConsoleConfig(), PushOutfit(session, outbound), out)
        assert provider.takes(target)
        assert isinstance(await provider.send(parcel_of(message, CONTENT, target), ready), Taken)
    (line,) = out.getvalue().splitlines()
    printed = msgspec.json.decode(line)
    assert printed["notification_id"] == str(message.notification_id)
    assert printed["push"]["title"] == CONTENT.title
    assert target.token not in line

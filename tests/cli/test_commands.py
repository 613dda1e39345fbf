"""`tidings send`, `status`, `explain`, `cancel` and `run` as a person types them."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.commands import run_command
from support.stack import Stack
from tidings.client import Tidings
from tidings.contracts.codes import Channel
from tidings.contracts.explaining import Would
from tidings.contracts.notifications import NewNotification
from tidings.kit.ids import now
from tidings.push.keys import base64url, public_point, read_private_key

pytestmark = pytest.mark.journey

VALUES = ("--var", "name=Ada", "--var", "link=https://example.com/start")


@pytest.fixture(scope="module")
async def stack(shared_home: Path) -> AsyncIterator[Stack]:
    running = await Stack.start(shared_home)
    yield running
    await running.stop()


def _send(stack: Stack, channel: str, *more: str) -> list[str]:
    user = ("--user", stack.ready["user_id"], "--template", "welcome")
    return ["send", "--home", str(stack.home), "--channel", channel, *user, *more]


@pytest.mark.parametrize("channel", ["email", "push"])
async def test_send_and_wait(stack: Stack, tmp_path: Path, channel: str) -> None:
    """A notification that the provider took ends with its timeline and exit code 0."""
    code, shown = await run_command(tmp_path, *_send(stack, channel, *VALUES, "--wait"))
    assert code == 0, shown
    assert [word for word in ("accepted", "queued", "sent") if word not in shown] == []


async def test_send_that_fails(stack: Stack, tmp_path: Path) -> None:
    """A refused notification ends with the server's words and exit code 1."""
    # Without an enhanced code nothing says that the address is dead, so it is not suppressed.
    await stack.faults({"provider": "smtp", "smtp_code": 550, "text": "not now", "times": 1})
    code, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES, "--wait"))
    assert code == 1
    assert "failed (recipient_refused)" in shown
    assert "550" in shown


async def test_status(stack: Stack, tmp_path: Path) -> None:
    """`send` prints the id alone, and `status` shows that notification, as a page or as JSON."""
    _, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES))
    notification_id = shown.strip()
    settled = await stack.wait_settled(notification_id)
    where = (notification_id, "--home", str(stack.home))
    assert f"{notification_id}  email  sent" in (await run_command(tmp_path, "status", *where))[1]
    code, shown = await run_command(tmp_path, "status", *where, "--json")
    assert code == 0
    assert json.loads(shown) == settled


async def test_explain(stack: Stack, tmp_path: Path) -> None:
    """The state in a sentence and each decision on a line of its own, or as the API answers."""
    _, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES))
    notification_id = shown.strip()
    await stack.wait_settled(notification_id)
    command = ("explain", notification_id, "--home", str(stack.home))
    code, shown = await run_command(tmp_path, *command)
    assert code == 0, shown
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0][0] == notification_id
    assert lines[1][0] == "smtp"
    assert ["attempt", "1"] in lines
    assert any(line[1:] == ["provider", "tried", "smtp:", "taken"] for line in lines)
    code, shown = await run_command(tmp_path, *command, "--json")
    assert (code, json.loads(shown)["id"]) == (0, notification_id)


@pytest.mark.parametrize("channel", Channel)
async def test_dry_runs_reach_every_channel(stack: Stack, channel: Channel) -> None:
    """`up` tells the gateway where the services are that decide in dry runs."""
    asked = NewNotification(
        channel=channel,
        user_id=stack.ready["user_id"],
        template_id="welcome",
        variables={"name": "Ada", "link": "https://example.com/start"},
    )
    async with Tidings(stack.gateway, stack.ready["api_key"]) as tidings:
        said = await tidings.notifications.dry_run(asked)
    assert said.would is Would.SEND, said


async def test_same_request_id(stack: Stack, tmp_path: Path) -> None:
    """The same request id sends once."""
    command = _send(stack, "email", *VALUES, "--request-id", "order-1")
    first, second = [await run_command(tmp_path, *command) for _ in range(2)]
    assert first == second


async def test_send_later(stack: Stack, tmp_path: Path) -> None:
    """What is sent for later waits for its moment, or for the person's clock to show that time."""
    moment = (now() + timedelta(days=2)).replace(microsecond=0)
    wall = moment.replace(tzinfo=None).isoformat()
    for when in (("--send-at", moment.isoformat()), ("--send-at-local", wall)):
        late = ("--priority", "bulk", "--expires-at", (moment + timedelta(days=2)).isoformat())
        code, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES, *when, *late))
        assert code == 0, shown
        command = ("status", shown.strip(), "--home", str(stack.home), "--json")
        found = json.loads((await run_command(tmp_path, *command))[1])
        assert (found["status"], found["priority"]) == ("scheduled", "bulk")
        assert abs(datetime.fromisoformat(found["send_at"]) - moment) < timedelta(days=1)


@pytest.mark.parametrize(
    ("more", "status"),
    [(("--also", "email"), "accepted"), (("--fallback", "email", "--fallback-after", "600"), "scheduled")],
)
async def test_send_on_several_channels(
    stack: Stack, tmp_path: Path, more: tuple[str, ...], status: str
) -> None:
    """The first one's id is printed, and the others' with their channel and state; or all of it as JSON."""
    command = _send(stack, "push", *VALUES, *more, "--request-id", f"both-{status}")
    code, shown = await run_command(tmp_path, *command)
    assert code == 0, shown
    code, answered = await run_command(tmp_path, *command, "--json")
    assert code == 0, answered
    accepted = json.loads(answered)
    (other,) = accepted["others"]
    assert set(shown.splitlines()) == {accepted["id"], f"{other['id']}  email  {status}"}


async def test_send_once_with_a_business_key(stack: Stack, tmp_path: Path) -> None:
    """The second with the same key prints the first's id, and says that nothing new is sent."""
    command = _send(stack, "email", *VALUES, "--dedupe-key", "order-17", "--dedupe-seconds", "86400")
    first = await run_command(tmp_path, *command)
    code, shown = await run_command(tmp_path, *command)
    assert (code, first[0]) == (0, 0)
    assert first[1].strip() in shown
    assert "Nothing new is sent" in shown


async def test_dry_run(stack: Stack, tmp_path: Path) -> None:
    """Every decision is shown and nothing is sent; exit code 1 and why, where it would not be."""
    more = ("--fallback", "push", "--request-id", "never", "--dry-run")
    code, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES, *more))
    assert code == 0, shown
    assert shown.startswith("would be sent")
    assert "\nemail: would be sent" in shown
    assert "\npush, as fallback: would wait until " in shown
    assert any(line.split()[:2] == ["quiet_hours", "passed"] for line in shown.splitlines())
    command = _send(stack, "email", "--var", "name=Ada", "--request-id", "never", "--dry-run")
    code, shown = await run_command(tmp_path, *command)
    assert code == 1
    assert shown.startswith("would not be sent")
    assert "(missing_variable)" in shown
    code, shown = await run_command(tmp_path, *command, "--json")
    assert (code, json.loads(shown)["code"]) == (1, "missing_variable")
    async with Tidings(stack.gateway, stack.ready["api_key"]) as tidings:
        assert [one async for one in tidings.notifications.find(request_id="never")] == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--send-at", "tomorrow"), "'tomorrow' is no date and time. Write it as 2027-"),
        (("--send-at", "2027-01-31T09:00:00"), "has no UTC offset"),
        (("--expires-at", "2027-01-31T09:00:00"), "has no UTC offset"),
        (("--send-at-local", "2027-01-31T09:00:00Z"), "or take --send-at"),
        (
            ("--send-at", "2027-01-31T09:00:00Z", "--send-at-local", "2027-01-31T09:00:00"),
            "one of the two",
        ),
        (("--fallback-after", "60"), "Give its channel too"),
        (("--fallback-unless", "sent"), "Give its channel too"),
        (("--dedupe-seconds", "60"), "how long a --dedupe-key holds"),
        (("--dry-run", "--wait"), "nothing to --wait for"),
    ],
)
async def test_options_that_do_not_fit(tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    """What cannot be meant is explained before anybody is asked, with exit code 2."""
    command = ("send", "--url", "http://127.0.0.1:1", "--api-key", "tdg_live_x")
    asked = ("--channel", "push", "--user", "ada", "--template", "welcome")
    code, shown = await run_command(tmp_path, *command, *asked, *more)
    assert code == 2
    assert words in " ".join(shown.split())


async def test_cancel(stack: Stack, tmp_path: Path) -> None:
    """What waits is cancelled and shown with the reason; what was sent is refused with exit code 1."""
    waiting = await stack.accept(send_at=(now() + timedelta(hours=1)).isoformat())
    command = ("cancel", "--home", str(stack.home))
    code, shown = await run_command(tmp_path, *command, waiting, "--reason", "Withdrawn")
    assert code == 0, shown
    assert "Withdrawn" in shown
    sent = await stack.accept()
    await stack.wait_settled(sent)
    code, shown = await run_command(tmp_path, *command, sent)
    assert code == 1
    assert "is sent already" in shown
    assert "(already_settled)" in shown


async def test_refusal(stack: Stack, tmp_path: Path) -> None:
    """A refused request shows the problem's words, its code and each field at fault."""
    code, shown = await run_command(tmp_path, *_send(stack, "email", "--var", "name=Ada"))
    assert code == 1
    assert "(missing_variable)" in shown
    assert "$.variables.link" in shown


async def test_wrong_key(stack: Stack, tmp_path: Path) -> None:
    """A named gateway and key are used in place of the home's."""
    env = {"TIDINGS_URL": stack.gateway, "TIDINGS_API_KEY": "tdg_live_" + "x" * 40}
    code, shown = await run_command(tmp_path, *_send(stack, "email", *VALUES), env=env)
    assert code == 1
    assert "unknown_api_key" in shown


async def test_malformed_variable(stack: Stack, tmp_path: Path) -> None:
    """A value without a name is explained."""
    code, shown = await run_command(tmp_path, *_send(stack, "email", "--var", "Ada"))
    assert code == 1
    assert "--var name=Ada" in shown


async def test_nothing_runs(tmp_path: Path) -> None:
    """Without a running Tidings the way to start one is shown."""
    unknown = "01a20277-9a89-778f-a4fe-f55bf1171cc2"
    code, shown = await run_command(tmp_path, "status", unknown, "--home", str(tmp_path))
    assert code == 1
    assert "tidings up" in shown
    gone = ("--url", "http://127.0.0.1:1", "--api-key", "tdg_live_x")
    code, shown = await run_command(tmp_path, "status", unknown, *gone)
    assert code == 1
    assert "Nothing answers at http://127.0.0.1:1" in shown


async def test_run_without_settings(tmp_path: Path) -> None:
    """A service without its settings names every missing variable and ends with exit code 2."""
    code, shown = await run_command(tmp_path, "run", "users")
    assert code == 2
    assert "TIDINGS_DATABASE_URL is not set" in shown
    assert "TIDINGS_SERVICE_SECRET is not set" in shown


async def test_push_keys(tmp_path: Path) -> None:
    """Each call makes a new pair, whose public half is what browsers take as `applicationServerKey`."""
    code, shown = await run_command(tmp_path, "push", "keys", "--json")
    assert code == 0, shown
    made, again = json.loads(shown), json.loads((await run_command(tmp_path, "push", "keys", "--json"))[1])
    point = public_point(read_private_key(made["private"]).public_key())
    assert base64url(point) == made["public"]
    assert made["private"] != again["private"]

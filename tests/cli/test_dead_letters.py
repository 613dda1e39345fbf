"""`tidings dead-letters …` as an operator types it, on a system that runs."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.commands import run_command
from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey

FAULTY = {"subject": "{{ count + 1 }} new", "text": "You have {{ count + 1 }}."}
MENDED = {"subject": "{{ count }} new", "text": "You have {{ count }}."}


@pytest.fixture(scope="module")
async def stack(shared_home: Path) -> AsyncIterator[Stack]:
    running = await Stack.start(shared_home)
    yield running
    await running.stop()


class Operator:
    """Someone at a terminal, with a template that fails on what it is given."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.template_id = f"faulty-{secrets.token_hex(4)}"
        self._folder = folder

    async def run(self, *words: str, fails: bool = False) -> str:
        """What a command shows; it has to end well, unless it is said to fail."""
        code, shown = await run_command(self._folder, "dead-letters", *words, "--home", str(self.stack.home))
        assert code == (1 if fails else 0), shown
        return shown

    async def read(self, *words: str) -> Any:  # noqa: ANN401 - JSON
        """What a command answers with --json."""
        return json.loads(await self.run(*words, "--json"))

    async def listed(self) -> list[dict[str, Any]]:
        """Every dead letter of the template."""
        return list(await self.read("list", "--template", self.template_id, "--limit", "1000"))

    async def die(self, count: int) -> list[str]:
        """Send emails that cannot be rendered, and wait for their dead letters; returns the notifications."""
        content = {"id": self.template_id, "content": {"en": {"email": FAULTY}}}
        answer = await self.stack.http.post(f"{self.stack.gateway}/v1/templates", json=content)
        assert answer.is_success, answer.text
        ids = await asyncio.gather(
            *(
                self.stack.accept(template_id=self.template_id, variables={"count": "many"})
                for _ in range(count)
            )
        )
        query = {"template_id": self.template_id, "limit": "200"}

        async def all_dead() -> bool:
            answer = await self.stack.http.get(f"{self.stack.gateway}/v1/dead-letters", params=query)
            return len(answer.json()["dead_letters"]) == count

        await eventually(all_dead)
        return ids

    async def mend(self) -> None:
        """Publish a version that can be rendered."""
        answer = await self.stack.http.put(
            f"{self.stack.gateway}/v1/templates/{self.template_id}",
            json={"content": {"en": {"email": MENDED}}},
        )
        assert answer.is_success, answer.text

    async def replays(self) -> list[dict[str, Any]]:
        """The notifications that the dead letters were replayed as, once each is settled."""
        ids = [key for letter in await self.listed() for key in letter["replayed_as"]]
        return await asyncio.gather(*map(self.stack.wait_settled, ids))


@pytest.fixture
async def operator(stack: Stack, tmp_path: Path) -> Operator:
    await stack.clear()
    return Operator(stack, tmp_path)


async def test_from_a_faulty_template_to_all_sent(operator: Operator) -> None:
    """Failures of a template are one group; with a new version all are replayed, sent, and linked."""
    ids = await operator.die(30)
    (group,) = await operator.read("groups", "--template", operator.template_id)
    assert (group["reason"], group["count"], group["replayed"]) == ("render_failed", 30, 0)
    assert group["group"] in await operator.run("groups")
    shown = await operator.run("show", group["example_id"])
    assert "render_failed" in shown
    assert '{"count":"many"}' in shown

    await operator.mend()
    name = ("--group", group["group"])
    assert await operator.run("replay", *name, "--dry-run") == "30 match, 30 would be replayed\n"
    shown = await operator.run("replay", *name, "--rate", "30")
    assert shown.splitlines()[-1] == "completed: 30 of 30 replayed"

    replays = await operator.replays()
    assert Counter(one["status"] for one in replays) == {"sent": 30}
    assert {one["replay_of"] for one in replays} == set(ids)
    subjects = [email["subject"] for email in await operator.stack.inbox()]
    assert subjects == ["many new"] * 30
    shown = await operator.run("show", group["example_id"])
    assert "replayed as" in shown
    shown = await operator.run("replay", *name)
    assert shown.splitlines()[-1] == "completed: 0 of 30 replayed, 30 skipped (30 already_replayed)"


async def test_the_gateway_killed_in_the_middle(operator: Operator) -> None:
    """With the only gateway killed in the middle of a job, the next one replays the rest, none twice."""
    ids = await operator.die(100)
    await operator.mend()
    job = await operator.read("replay", "--template", operator.template_id, "--rate", "40", "--no-wait")

    async def some_sent() -> bool:
        return len(await operator.stack.inbox()) >= 10

    await eventually(some_sent)
    await operator.stack.restart("gateway")

    async def over() -> bool:
        return bool((await operator.read("job", job["id"]))["state"] == "completed")

    await eventually(over, within=60)
    replays = await operator.replays()
    assert Counter(one["status"] for one in replays) == {"sent": 100}
    assert Counter(one["replay_of"] for one in replays) == Counter(ids)
    assert len(await operator.stack.inbox()) == 100


async def test_one_is_edited_and_replayed(operator: Operator) -> None:
    """An edit shows beside the original, and one ID alone prints the id of its new notification."""
    await operator.die(1)
    (letter,) = await operator.listed()
    shown = await operator.run("edit", letter["id"], "--variables", '{"count": 2}', "--locale", "user")
    assert "edited, for a replay" in shown
    made = (await operator.run("replay", letter["id"])).strip()
    assert (await operator.stack.wait_settled(made))["status"] == "sent"
    assert (await operator.stack.inbox())[0]["subject"] == "3 new"
    assert "[replayed] [edited]" in await operator.run("list", "--template", operator.template_id)
    assert "already_replayed" in await operator.run("replay", letter["id"], fails=True)


async def test_discard(operator: Operator) -> None:
    """What is discarded is listed no more."""
    await operator.die(3)
    first, *_ = await operator.listed()
    assert await operator.run("discard", first["id"], "--yes") == "1 discarded\n"
    words = ("--template", operator.template_id, "--since", "1h", "--yes")
    assert await operator.run("discard", *words) == "2 discarded\n"
    assert await operator.listed() == []


async def test_a_job_is_cancelled(operator: Operator) -> None:
    """A job left to the gateways is stopped by its id."""
    await operator.die(5)
    await operator.mend()
    words = ("--template", operator.template_id, "--rate", "0.1", "--no-wait")
    job = await operator.read("replay", *words)
    assert (await operator.run("job", job["id"], "--cancel")).startswith("cancelled: ")
    assert "replay_over" in await operator.run("job", job["id"], "--cancel", fails=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "--since", "yesterday"), "is no moment"),
        (("list", "--group", "all"), "There can be no such dead letter"),
        (("edit", "01990c3e-5e01-7a12-8c44-9b7f0e2d6a10"), "Say what to change"),
        (("edit", "01990c3e-5e01-7a12-8c44-9b7f0e2d6a10", "--variables", "[1]"), "has to be a JSON object"),
        (("edit", "01990c3e-5e01-7a12-8c44-9b7f0e2d6a10", "--template-version", "old"), "or newest"),
        (("show", "01990c3e-5e01-7a12-8c44-9b7f0e2d6a10"), "unknown_dead_letter"),
        (("discard", "--yes"), "say --everything"),
    ],
)
async def test_what_cannot_be(operator: Operator, words: tuple[str, ...], told: str) -> None:
    """A command that cannot go on says what was wrong and what to do."""
    assert told in await operator.run(*words, fails=True)

"""`GET /v1/notifications/{id}/explain`: why a notification is where it is."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from delivery.outside import misbehave
from delivery.situations import ALWAYS, no_address, preferences
from gateway.conftest import OpenGateway
from gateway.explaining.conftest import EmailService, Followed
from gateway.test_refusals import assert_problem
from simulator.running import Simulator
from support.ports import free_port
from support.world import World
from tidings.kit.ids import now

BY_PUSH = {"channel": "push", "variables": {"name": "Ada", "link": "https://example.com"}}


async def accept(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """The id of a notification that was accepted."""
    answer = await client.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def steps_of(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [step for step in said["steps"] if step["step"] == name]


async def test_an_email_that_was_sent(
    caller: httpx.AsyncClient, body: dict[str, Any], explained: Followed
) -> None:
    """From the key that sent it to the provider that took it, in order and in one list."""
    said = await explained(caller, await accept(caller, body))
    names = [step["step"] for step in said["steps"]]
    assert names[:3] == ["accepted", "template", "dispatch"]
    assert names[-3:] == ["claim", "provider", "status"]
    accepted, template, dispatch, *_, status = said["steps"]
    assert accepted["detail"].startswith("from `")
    assert template["detail"] == "welcome, version 1 is pinned"
    assert dispatch["detail"] == "email.queue, lane normal"
    assert (status["status"], status["provider"], status["attempt"]) == ("sent", "smtp", 1)
    assert said["settled"]
    assert said["summary"].startswith("smtp took it at ")
    assert said["summary"].endswith("Z, on attempt 1.")
    assert (said["waits_for"], said["until"]) == (None, None)
    times = [step["at"] for step in said["steps"]]
    assert times == sorted(times)


async def test_what_waits_says_for_what_and_until_when(
    caller: httpx.AsyncClient, world: World, body: dict[str, Any], explained: Followed
) -> None:
    """At night it waits for the quiet hours to end, as its last step says."""
    await preferences(quiet_hours=ALWAYS)(world, body["user_id"])
    said = await explained(caller, await accept(caller, body))
    assert (said["status"], said["reason"], said["settled"]) == ("parked", "quiet_hours", False)
    assert "quiet hours end at" in said["waits_for"]
    assert said["until"] == said["steps"][-1]["until"]
    assert datetime.fromisoformat(said["until"]) > now()
    assert said["summary"].startswith("It waits, until ")


async def test_each_attempt_stands_for_itself(
    caller: httpx.AsyncClient, outside: Simulator, body: dict[str, Any], explained: Followed
) -> None:
    """An outage, the wait for the next attempt with the provider's words, and the attempt that succeeds."""
    await misbehave(outside, {"smtp_code": 451, "text": "4.3.0 Disk trouble", "times": 1})
    said = await explained(caller, await accept(caller, body), lambda now: now["settled"])
    providers = steps_of(said, "provider")
    assert [(one["attempt"], one["detail"]) for one in providers] == [(1, "smtp: outage"), (2, "smtp: taken")]
    retried, sent = steps_of(said, "status")
    assert (retried["verdict"], retried["status"]) == ("waits", "retrying")
    assert "Disk trouble" in retried["detail"]
    assert retried["until"] is not None
    assert (sent["attempt"], sent["status"]) == (2, "sent")
    assert [one["detail"] for one in steps_of(said, "ledger")] == ["nothing was sent before"]


async def test_a_dead_letter_and_its_replay(
    caller: httpx.AsyncClient, world: World, body: dict[str, Any], explained: Followed
) -> None:
    """What failed names its dead letter, and both it and its replay name one another."""
    await no_address(world, body["user_id"])
    failed = await accept(caller, body)
    # The two come by queues of their own.
    said = await explained(caller, failed, lambda now: now["settled"] and now["dead_letter_id"] is not None)
    assert said["summary"] == (
        "It was not sent: The user has nothing that email could be sent to (no_email_address)."
    )
    assert steps_of(said, "dead_letter")[0]["detail"] == f"kept as {said['dead_letter_id']}"
    answer = await caller.post(f"/v1/dead-letters/{said['dead_letter_id']}/replay", json={})
    assert answer.is_success, answer.text
    said = await explained(caller, failed, lambda now: now["replays"] != [])
    replay = await explained(caller, said["replays"][0])
    assert replay["replay_of"] == failed
    assert steps_of(replay, "replay")[0]["detail"] == f"it repeats {failed}"


async def test_one_for_later(caller: httpx.AsyncClient, body: dict[str, Any], explained: Followed) -> None:
    """What is scheduled waits for its time, and nobody has decided anything else."""
    later = now() + timedelta(hours=1)
    notification_id = await accept(caller, body | {"send_at": later.isoformat()})
    said = await explained(caller, notification_id)
    assert (said["status"], said["waits_for"]) == ("scheduled", "its time")
    assert datetime.fromisoformat(said["until"]) == later
    assert [step["step"] for step in said["steps"]] == ["accepted", "template", "schedule"]


async def test_one_in_a_queue(caller: httpx.AsyncClient, body: dict[str, Any], explained: Followed) -> None:
    """Without a worker it waits for one, and says at which queue."""
    pushed = await accept(caller, body | BY_PUSH)
    said = await explained(caller, pushed, lambda now: now["status"] == "queued")
    assert said["summary"] == "It waits: a worker to take it from push.queue."


async def test_a_fallback_and_its_first(
    caller: httpx.AsyncClient, body: dict[str, Any], explained: Followed
) -> None:
    """Both name one another, and the one that waits says what would make it superfluous."""
    pushed = body | BY_PUSH
    first = await accept(caller, pushed | {"fallback": {"channel": "email", "after_seconds": 600}})
    said = await explained(caller, first, lambda now: now["status"] == "queued")
    fallback = await explained(caller, said["fallback_id"])
    assert (fallback["fallback_of"], fallback["group_id"]) == (first, first)
    assert fallback["waits_for"] == f"whether {first} is displayed"
    assert steps_of(said, "fallback")[0]["detail"] == f"its fallback is {said['fallback_id']}"
    assert steps_of(fallback, "fallback")[0]["verdict"] == "waits"


async def test_what_was_accepted_unchecked(
    open_gateway: OpenGateway, email_service: EmailService, body: dict[str, Any], explained: Followed
) -> None:
    """With the template service away at the acceptance, the worker's check is the first."""
    assert email_service.url
    async with open_gateway(templates_url=f"http://127.0.0.1:{free_port()}") as cut_off:
        notification_id = await accept(cut_off, body)
        said = await explained(cut_off, notification_id)
    at_acceptance, of_the_worker = steps_of(said, "template")
    assert (at_acceptance["verdict"], of_the_worker["verdict"]) == ("unknown", "passed")


@pytest.mark.parametrize("name", [str(uuid4()), "no-uuid"])
async def test_nobody_has_this_id(caller: httpx.AsyncClient, name: str) -> None:
    """An id nobody has, and what is no id at all, are a 404."""
    answer = await caller.get(f"/v1/notifications/{name}/explain")
    assert_problem(answer, 404, "unknown_notification")

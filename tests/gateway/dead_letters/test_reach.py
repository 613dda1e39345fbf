"""A test key reaches the dead letters of what was sent with test keys, and no others."""

from dataclasses import replace

import httpx
import pytest

from gateway.dead_letters.letters import DEAD_LETTERS, Letters


@pytest.fixture
def trial(letters: Letters, trying: httpx.AsyncClient) -> Letters:
    """The same person's dead letters, made and seen with the test key."""
    return replace(letters, gateway=trying)


async def test_live_ones_are_not_there(letters: Letters, trial: Letters) -> None:
    """A test key lists, counts, plans, reads, edits, replays and discards those of test keys only."""
    (live,) = await letters.die()
    (test,) = await trial.die()
    assert [one["id"] for one in await trial.all()] == [test["id"]]
    assert {one["id"] for one in await letters.all()} == {live["id"], test["id"]}
    groups = (await trial.ask("/groups")).json()["groups"]
    assert [group["count"] for group in groups] == [1]
    assert (await trial.start(dry_run=True))["matched"] == 1
    for refused in (
        await trial.gateway.get(f"{DEAD_LETTERS}/{live['id']}"),
        await trial.edit(live, variables={"name": "Grace"}),
        await trial.replay(live),
    ):
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_dead_letter")
    discarded = await trial.gateway.delete(DEAD_LETTERS, params={"user_id": letters.user_id})
    assert discarded.json() == {"discarded": 1}
    assert [one["id"] for one in await letters.all()] == [live["id"]]


async def test_its_own_are_replayed_into_the_sandbox(trial: Letters) -> None:
    """What a test key replays reaches no real provider either."""
    (letter,) = await trial.die()
    assert (await trial.replay(letter)).is_success
    (made,) = await trial.notifications()
    assert made["sandbox"]


async def test_jobs(letters: Letters, trial: Letters) -> None:
    """A test key's job replays those of test keys only, and a live key's job is not there for it."""
    (live,) = await letters.die()
    await trial.die()
    done = await trial.finished(await trial.start())
    assert (done["matched"], done["replayed"]) == (1, 1)
    assert (await letters.read(live))["replayed_as"] == []
    others = await letters.start()
    for method in ("GET", "DELETE"):
        refused = await trial.gateway.request(method, f"{DEAD_LETTERS}/replays/{others['id']}")
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_replay")
    await letters.finished(others)

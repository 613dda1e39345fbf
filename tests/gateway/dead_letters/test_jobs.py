"""Replaying many: at a rate, by all gateways together, none twice and none lost."""

import asyncio
import signal
from collections import Counter
from datetime import timedelta

import asyncpg
import msgspec

from gateway.conftest import OpenGateway
from gateway.dead_letters.letters import DEAD_LETTERS, Letters
from support.polling import eventually
from support.ports import free_port
from support.serving import service_process
from tidings.gateway.settings import GatewaySettings
from tidings.kit.ids import now


async def replayed_once(letters: Letters, count: int) -> None:
    """Each dead letter has one replay, and each replay is a notification of its own."""
    assert [len(one["replayed_as"]) for one in await letters.all()] == [1] * count
    found = await letters.notifications()
    assert len({one["replay_of"] for one in found}) == count


async def test_a_job_replays_what_matches(letters: Letters) -> None:
    """A job replays everything that its filter matched, and says what it skipped and why."""
    await letters.die(4)
    await letters.die(2, expires_at=now() - timedelta(hours=1))
    await letters.die(3, variables={})
    (before,) = await letters.die()
    await letters.replay(before)
    job = await letters.finished(await letters.start(rate=1_000))
    assert (job["state"], job["matched"], job["replayed"], job["remaining"]) == ("completed", 10, 4, 0)
    assert job["skipped"] == {"already_expired": 2, "already_replayed": 1, "missing_variable": 3}
    assert job["finished_at"] is not None
    assert len(await letters.notifications()) == 5


async def test_a_dry_run_changes_nothing(letters: Letters) -> None:
    """A dry run counts what would be replayed and skipped."""
    await letters.die(3)
    await letters.die(2, expires_at=now() - timedelta(hours=1))
    plan = await letters.start(dry_run=True)
    assert plan == {"matched": 5, "replayable": 3, "skipped": {"already_expired": 2}}
    assert await letters.notifications() == []


async def test_a_second_job_finds_nothing_to_do(letters: Letters) -> None:
    """The same job again replays nothing twice, unless that is said."""
    await letters.die(3)
    first, second = await asyncio.gather(letters.start(), letters.start())
    counts = [(await letters.finished(job))["replayed"] for job in (first, second)]
    assert sum(counts) == 3
    await replayed_once(letters, 3)
    third = await letters.finished(await letters.start(again=True))
    assert third["replayed"] == 3


async def test_expired_ones_only_when_asked_for(letters: Letters) -> None:
    """Without `skip_expired`, expired ones are sent without their expiry."""
    await letters.die(expires_at=now() - timedelta(hours=1))
    job = await letters.finished(await letters.start(skip_expired=False))
    assert job["replayed"] == 1
    (replay,) = await letters.notifications()
    assert replay["expires_at"] is None


async def test_what_dies_meanwhile_waits(letters: Letters) -> None:
    """A job sees to what matched when it began, so replays that die again do not keep it going."""
    await letters.die(2)
    job = await letters.start(rate=1)
    await letters.die(1)
    assert (await letters.finished(job))["matched"] == 2
    assert len(await letters.notifications()) == 2


async def test_the_rate_is_kept(letters: Letters, open_gateway: OpenGateway) -> None:
    """Two gateways together do not replay faster than the job says."""
    await letters.die(12)
    async with open_gateway():
        started = now()
        job = await letters.finished(await letters.start(rate=5))
        took = now() - started
    assert job["replayed"] == 12
    assert took >= timedelta(seconds=2)


async def test_a_cancelled_job_stops_for_good(letters: Letters) -> None:
    """Once the cancellation is answered, nothing more is replayed; a job that is over cannot be cancelled."""
    await letters.die(20)
    job = await letters.start(rate=2)

    async def begun() -> bool:
        return bool((await letters.job(job))["replayed"])

    await eventually(begun)
    path = f"{DEAD_LETTERS}/replays/{job['id']}"
    cancelled = (await letters.gateway.delete(path)).json()
    assert cancelled["state"] == "cancelled"
    assert 0 < cancelled["replayed"] < 20
    again = await letters.start(rate=1_000)
    assert (await letters.finished(again))["replayed"] == 20 - cancelled["replayed"]
    assert (await letters.job(job)) == cancelled
    refused = await letters.gateway.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "replay_over")


async def test_what_is_discarded_meanwhile_is_skipped(letters: Letters, admin: asyncpg.Connection) -> None:
    """A job skips what was discarded after it began."""
    await letters.die(6)
    job = await letters.start(rate=0.01)
    await letters.gateway.delete(DEAD_LETTERS, params={"user_id": letters.user_id, "replayed": "false"})
    await admin.execute(
        "update replay_jobs set rate = 1000, due_at = now() where id = $1::text::uuid", job["id"]
    )
    over = await letters.finished(job)
    assert over["replayed"] + over["skipped"]["unknown_dead_letter"] == 6


async def test_a_killed_gateway_is_continued(
    letters: Letters, settings: GatewaySettings, open_gateway: OpenGateway
) -> None:
    """With one of three gateways killed in the middle of a job, each is replayed, and none twice."""
    await letters.die(120)
    own = msgspec.structs.replace(settings, port=free_port())
    async with open_gateway(), service_process("gateway", own) as doomed:
        job = await letters.start(rate=60)

        async def some() -> bool:
            return int((await letters.job(job))["replayed"]) >= 30

        await eventually(some)
        await doomed.end(signal.SIGKILL)
        over = await letters.finished(job)
    assert (over["state"], over["replayed"], over["skipped"]) == ("completed", 120, {})
    await replayed_once(letters, 120)


async def test_operators_are_audited(letters: Letters, admin: asyncpg.Connection) -> None:
    """Who began and who cancelled a job is in the audit log."""
    await letters.die(5)
    job = await letters.start(rate=0.01)  # so it is not over yet, however late it is cancelled
    await letters.gateway.delete(f"{DEAD_LETTERS}/replays/{job['id']}")
    rows = await admin.fetch("select action, actor from audit_log where subject = $1", job["id"])
    assert Counter(row["action"] for row in rows) == {"replay_job.started": 1, "replay_job.cancelled": 1}
    assert len({row["actor"] for row in rows}) == 1

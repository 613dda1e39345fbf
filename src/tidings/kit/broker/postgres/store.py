"""All SQL on the messages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from tidings.kit.broker.port import Message
from tidings.kit.broker.postgres.schema import Connection

CHANNEL = "tidings_broker"
"""The NOTIFY channel; the payload is the queue's name."""

LEASE = 30.0
"""Seconds that a claim holds without being renewed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message handed out to an owner. `hand_outs` counts this one, and those that were never settled."""

    seq: int
    message: Message
    attempt: int
    hand_outs: int


async def insert(connection: Connection, queue: str, messages: Sequence[Message]) -> None:
    """Store the messages and wake the queue's consumers, in one commit."""
    await connection.execute(
        """
        WITH stored AS (
            INSERT INTO broker.message (queue, id, body, headers)
            SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::json[]) RETURNING 1
        ) SELECT pg_notify($5, $1) FROM (SELECT count(*) FROM stored) AS done
        """,
        queue,
        [message.id for message in messages],
        [message.body for message in messages],
        [json.dumps(dict(message.headers)) for message in messages],
        CHANNEL,
    )


async def waiting(connection: Connection, queue: str) -> int:
    """Messages that could be handed out now."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM broker.message WHERE queue = $1 AND owner IS NULL AND available_at <= now()",
        queue,
    )
    return count


async def take_ownership(connection: Connection, owner: int) -> None:
    """Show that `owner` lives for as long as this connection does."""
    await connection.execute("SELECT pg_advisory_lock($1)", owner)


async def claim(connection: Connection, queue: str, owner: int, limit: int) -> list[Claimed]:
    """Hand out the messages that have waited longest."""
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT seq FROM broker.message
            WHERE queue = $1 AND owner IS NULL AND available_at <= now()
            ORDER BY available_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        UPDATE broker.message AS m
        SET owner = $2, leased_until = now() + make_interval(secs => $4), hand_outs = hand_outs + 1
        FROM due WHERE m.seq = due.seq
        RETURNING m.seq, m.id, m.body, m.headers, m.attempt, m.hand_outs
        """,
        queue,
        owner,
        limit,
        LEASE,
    )
    return sorted(map(_claimed, rows), key=lambda row: row.seq)


async def next_due(connection: Connection, queue: str) -> float | None:
    """Seconds until the next delayed message is due; None when there is none."""
    seconds: float | None = await connection.fetchval(
        """
        SELECT extract(epoch FROM available_at - clock_timestamp())::float8 FROM broker.message
        WHERE queue = $1 AND owner IS NULL ORDER BY available_at, seq LIMIT 1
        """,
        queue,
    )
    return seconds


async def acknowledge(connection: Connection, owner: int, seqs: Sequence[int]) -> None:
    """The messages are done with."""
    await connection.execute("DELETE FROM broker.message WHERE seq = ANY($1) AND owner = $2", seqs, owner)


async def hand_back(connection: Connection, owner: int, seqs: Sequence[int]) -> None:
    """Any consumer may have the messages again, at once."""
    await connection.execute(
        """
        WITH returned AS (
            UPDATE broker.message SET owner = NULL, leased_until = NULL
            WHERE seq = ANY($1) AND owner = $2 RETURNING queue
        ) SELECT pg_notify($3, queue) FROM (SELECT DISTINCT queue FROM returned) AS queues
        """,
        seqs,
        owner,
        CHANNEL,
    )


async def delay(connection: Connection, owner: int, waits: Sequence[tuple[int, float, int]]) -> None:
    """Hide messages for a while: each is a seq, the seconds and the attempt it will be."""
    seqs, seconds, attempts = zip(*waits, strict=True)
    await connection.execute(
        """
        UPDATE broker.message AS m
        SET owner = NULL, leased_until = NULL, hand_outs = 0, attempt = w.attempt,
            available_at = clock_timestamp() + make_interval(secs => w.seconds)
        FROM unnest($1::bigint[], $2::float8[], $3::integer[]) AS w(seq, seconds, attempt)
        WHERE m.seq = w.seq AND m.owner = $4
        """,
        seqs,
        seconds,
        attempts,
        owner,
    )


async def dead_letter(
    connection: Connection, owner: int, failed_queue: str, letters: Sequence[tuple[int, dict[str, str]]]
) -> None:
    """Move messages to the failed queue: each is a seq and the headers it gets."""
    await connection.execute(
        """
        WITH moved AS (
            UPDATE broker.message AS m
            SET queue = $1, headers = l.headers, attempt = 1, hand_outs = 0, available_at = now(),
                owner = NULL, leased_until = NULL
            FROM unnest($2::bigint[], $3::json[]) AS l(seq, headers)
            WHERE m.seq = l.seq AND m.owner = $4 RETURNING 1
        ) SELECT pg_notify($5, $1) FROM (SELECT count(*) FROM moved) AS done
        """,
        failed_queue,
        [seq for seq, _ in letters],
        [json.dumps(headers) for _, headers in letters],
        owner,
        CHANNEL,
    )


async def renew(connection: Connection, queue: str, owner: int) -> None:
    """Lease everything that the owner holds for another while."""
    await connection.execute(
        """
        UPDATE broker.message SET leased_until = now() + make_interval(secs => $3)
        WHERE queue = $1 AND owner = $2
        """,
        queue,
        owner,
        LEASE,
    )


async def reclaim(connection: Connection, queue: str) -> None:
    """Take messages back from owners whose connection is gone, or who have stopped renewing."""
    await connection.execute(
        """
        UPDATE broker.message SET owner = NULL, leased_until = NULL
        WHERE seq IN (
            SELECT seq FROM broker.message
            WHERE queue = $1 AND owner IS NOT NULL AND (
                leased_until < now() OR owner NOT IN (
                    SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
                    WHERE locktype = 'advisory' AND objsubid = 1
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))
            FOR UPDATE SKIP LOCKED)
        """,
        queue,
    )


def _claimed(row: Record) -> Claimed:
    message = Message(row["id"], row["body"], json.loads(row["headers"]))
    return Claimed(row["seq"], message, row["attempt"], row["hand_outs"])

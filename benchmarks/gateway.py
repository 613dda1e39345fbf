"""How fast the gateway accepts, and where the time goes: `.venv/bin/python benchmarks/gateway.py`.

It starts RabbitMQ, PostgreSQL, Valkey, all services and a bare SMTP sink on this machine, and takes them
down again. Most of its time, some ten minutes, goes into filling the table: `--rows 0` leaves that out.
"""

import argparse
import asyncio
import sys

import uvloop
from costs import AT_ONCE, Steps
from email_throughput import PEOPLE, Works, open_works
from gateway_load import (
    BULK,
    CRITICAL,
    OFFERED,
    Load,
    batches,
    critical_among_bulk,
    due_at_once,
    offered,
    singles,
    worker_paused,
)
from gateway_rows import fill
from gateway_steps import measure_steps
from smtp_sink import Sink, running_sink

from tidings.kit.telemetry import configure_logging

MOST_SECONDS = 40 * 60
LIMITS = {
    # Counted as ever, but never used up.
    "TIDINGS_GATEWAY_LIMIT_REQUESTS_PER_SECOND": "1000000",
    "TIDINGS_GATEWAY_LIMIT_NOTIFICATIONS_PER_MINUTE": "100000000",
    "TIDINGS_GATEWAY_LIMIT_RECIPIENT_PER_HOUR": "100000000",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the gateway.")
    parser.add_argument(
        "--rows",
        type=int,
        nargs="*",
        default=[1_000_000, 10_000_000],
        help="how many notifications the table is to hold when accepting is measured again",
    )
    rows = [count for count in sorted(parser.parse_args().rows) if count]
    configure_logging("benchmark", level="WARNING")
    with running_sink() as sink:
        try:
            uvloop.run(_measure(sink, rows))
        except TimeoutError:
            sys.exit(
                f"Given up after {MOST_SECONDS} s: other work keeps this machine too busy to measure on."
            )


async def _measure(sink: Sink, rows: list[int]) -> None:
    async with asyncio.timeout(MOST_SECONDS), open_works(sink, LIMITS) as works:
        await singles(works, 2_000)
        async with worker_paused(works):
            _show_rate(one := await offered(works))
            _show_accepting(single := await singles(works), await batches(works))
            _show_steps(await measure_steps(works), single)
            _show_due(*await due_at_once(works))
        _show_lanes(await critical_among_bulk(works))
        async with worker_paused(works):
            await _show_rows(works, rows)
        print(f"\nThe client was late by {one.result.late * 1000:.1f} ms at most")


def _show_rate(load: Load) -> None:
    print(f"{OFFERED:,.0f} requests a second offered, to {PEOPLE} people: milliseconds until the 202\n")
    for percent in (50, 90, 99, 99.9):
        print(f"{f'p{percent}':<44}{load.result.percentile(percent) * 1000:>10,.1f}")


def _show_accepting(single: Load, batch: Load) -> None:
    print("\nAs many as it takes\n")
    print(f"{'':<44}{'one by one':>12}{'1,000 a batch':>16}")
    print(f"{'accepted a second':<44}{single.per_second:>12,.0f}{batch.per_second:>16,.0f}")
    print("\nCPU, microseconds per notification accepted and queued, by process\n")
    for name in single.cpu:
        one, many = (load.cpu[name] / load.notifications * 1e6 for load in (single, batch))
        if max(one, many) >= 1:
            print(f"{name:<44}{one:>12,.0f}{many:>16,.0f}")


def _show_steps(steps: Steps, single: Load) -> None:
    print("\nCPU, microseconds per notification, by step of the gateway\n")
    print(f"{'':<44}{'one by one':>12}{f'{AT_ONCE} at once':>16}")
    for name, cost in steps.items():
        print(f"{name:<44}{cost.alone:>12,.1f}{cost.together:>16,.1f}")
    whole = single.cpu["gateway"] / single.notifications * 1e6
    rest = whole - sum(cost.together for cost in steps.values())
    print(f"{'HTTP, routing and the rest':<44}{'':>12}{rest:>16,.1f}")
    print(f"{'the whole process, as above':<44}{'':>12}{whole:>16,.1f}")


def _show_due(drained: float, late: list[float]) -> None:
    print(f"\n{BULK:,} bulk ones due at one moment: seconds until the broker has them\n")
    print(f"{'all of them':<44}{drained:>12,.1f}")
    print(f"{'critical ones due meanwhile, at most':<44}{late[-1]:>12,.3f}")


def _show_lanes(times: list[float]) -> None:
    p50, p99 = (times[int(len(times) * part)] for part in (0.5, 0.99))
    print(f"\n{CRITICAL} critical ones while {BULK:,} bulk ones wait: seconds from acceptance until sent\n")
    print(f"{'p50':<44}{p50:>12,.3f}\n{'p99':<44}{p99:>12,.3f}\n{'the last':<44}{times[-1]:>12,.3f}")


async def _show_rows(works: Works, rows: list[int]) -> None:
    """The same load, one after the other, so that what changed between is the number of rows."""
    print("\nAccepted a second one by one, by how many notifications there are\n")
    empty = await singles(works)
    print(f"{'as many as this run made':<44}{empty.per_second:>12,.0f}")
    there = 0
    for count in rows:
        seconds = await fill(works.database_url, rows=count - there, first=there)
        there = count
        load = await singles(works)
        ratio = load.per_second / empty.per_second
        words = f"and {count:,} older ones"
        print(f"{words:<44}{load.per_second:>12,.0f}{ratio:>9.2f}x   (filled in {seconds:,.0f} s)")


if __name__ == "__main__":
    main()

"""The measurements of the email service in one run, and the tables they make."""

import asyncio
import sys
from functools import partial

import uvloop
from costs import AT_ONCE, Rate, Steps
from email_steps import compare_sending, measure_steps
from email_throughput import EMAILS, PEOPLE, Cpu, open_works, through_the_pipeline
from mime import ENGLISH, SENDER, by_email_message, letter_of, microseconds
from smtp_sink import Sink, running_sink

from tidings.email.mime import MimeBuilder
from tidings.kit.telemetry import configure_logging

MOST_SECONDS = 100


def main() -> None:
    """Measure and print."""
    configure_logging("benchmark", level="WARNING")
    with running_sink() as sink:
        try:
            uvloop.run(_measure(sink))
        except TimeoutError:
            sys.exit(
                f"Given up after {MOST_SECONDS} s: other work keeps this machine too busy to measure on."
            )
    _show_mime()


async def _measure(sink: Sink) -> None:
    async with asyncio.timeout(MOST_SECONDS), open_works(sink) as works:
        used = await through_the_pipeline(works)
        _show_pipeline(sink, used)
        steps, signing = await measure_steps(works)
        _show_steps(steps, signing, total=used["email"] / EMAILS * 1e6)
        _show_sending(*await compare_sending(works))


def _show_pipeline(sink: Sink, used: Cpu) -> None:
    rate = EMAILS / sink.seconds
    print(
        f"{EMAILS:,} emails of {sink.mean_octets / 1024:.1f} KiB to {PEOPLE} people, from the queue to SMTP"
    )
    print(f"\n{'emails a second':<44}{rate:>10,.0f}")
    print("\nCPU, microseconds per email, by process\n")
    for name, seconds in used.items():
        print(f"{name:<44}{seconds / EMAILS * 1e6:>10,.0f}")
    print(f"{'all':<44}{sum(used.values()) / EMAILS * 1e6:>10,.0f}")


def _show_steps(steps: Steps, signing: dict[str, float], *, total: float) -> None:
    print("\nCPU, microseconds per email, by step of the email process\n")
    print(f"{'':<44}{'one by one':>12}{f'{AT_ONCE} at once':>12}")
    for name, cost in steps.items():
        print(f"{name:<44}{cost.alone:>12,.1f}{cost.together:>12,.1f}")
    alone, together = (
        sum(cost.alone for cost in steps.values()),
        sum(cost.together for cost in steps.values()),
    )
    print(f"{'these steps':<44}{alone:>12,.1f}{together:>12,.1f}")
    print(f"{'the whole process, as above':<44}{'':>12}{total:>12,.1f}\n")
    for name, more in signing.items():
        print(f"{f'DKIM with {name}, where emails are signed':<44}{'':>12}{more:>+12,.1f}")


def _show_mime() -> None:
    """One of the emails of `mime.py`, which has them in other scripts and with files too."""
    parcel = letter_of(ENGLISH)
    ours, standard = (
        microseconds(partial(MimeBuilder(SENDER).build, parcel)),
        microseconds(partial(by_email_message, parcel)),
    )
    print("\nBuilding one email, microseconds\n")
    print(f"{'MimeBuilder':<44}{ours:>10,.1f}")
    print(f"{'EmailMessage':<44}{standard:>10,.1f}")
    print(f"{'ratio':<44}{standard / ours:>9,.0f}x")


def _show_sending(ours: Rate, theirs: Rate) -> None:
    print("\nBare building and sending over 20 connections, one process, without queue or services\n")
    print(f"{'':<44}{'a second':>10}{'CPU us':>10}")
    for name, rate in (("MimeBuilder and SmtpProvider", ours), ("EmailMessage and aiosmtplib", theirs)):
        print(f"{name:<44}{rate.per_second:>10,.0f}{rate.cpu:>10,.0f}")
    print(f"{'ratio':<44}{ours.per_second / theirs.per_second:>9.1f}x{theirs.cpu / ours.cpu:>9.1f}x")

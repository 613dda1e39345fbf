"""`tidings send`, `tidings status` and `tidings cancel`: the public API from a terminal."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

import click
from rich.console import Console

from tidings.cli.answers import explained
from tidings.cli.errors import CannotContinue
from tidings.cli.tables import moment, out, show_json, table
from tidings.cli.target import Target
from tidings.client.sdk import Tidings
from tidings.contracts.codes import Status
from tidings.contracts.notifications import Accepted, NewNotification, Notification, TimelineEvent

ASK_EVERY = 0.1
SUCCEEDED = {Status.SENT, Status.DELIVERED}


def parse_variables(pairs: Sequence[str]) -> dict[str, str]:
    """Values from `key=value` words.

    Raises:
        CannotContinue: a word has no `=`.
    """
    parsed = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not (key and found):
            raise CannotContinue(f"--var {pair} has to be key=value, for example --var name=Ada.")
        parsed[key] = value
    return parsed


async def send(
    target: Target, notification: NewNotification, *, wait: float | None, as_json: bool = False
) -> bool:
    """Hand in a notification and print its id; returns whether it went well.

    With `wait`, show its state until it settles, for that many seconds at most; then it went well
    when the provider took it. `as_json`: print what the API answered instead.

    Raises:
        CannotContinue: refused, no answer, or not settled in time.
    """
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            accepted = await tidings.notifications.send(notification)
            if wait is None:
                _show_accepted(accepted, as_json=as_json)
                return True
            settled = await _follow(tidings, accepted.id, wait)
    if as_json:
        show_json(settled)
    else:
        show(settled)
    return settled.status in SUCCEEDED


async def fetch(target: Target, notification_id: UUID) -> Notification:
    """A notification with its timeline.

    Raises:
        CannotContinue: it is not known, or there is no answer.
    """
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            return await tidings.notifications.read(notification_id)


async def cancel(target: Target, notification_id: UUID, reason: str | None) -> Notification:
    """The notification with its timeline, which is cancelled now.

    Raises:
        CannotContinue: it is not known, is being sent or is settled, or there is no answer.
    """
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            return await tidings.notifications.cancel(notification_id, reason=reason)


def show(notification: Notification) -> None:
    """The state of a notification, and the way there."""
    reason = f" ({notification.reason})" if notification.reason else ""
    out(f"{notification.id}  {notification.channel}  {notification.status}{reason}")
    table([_row(event) for event in notification.timeline])


def _show_accepted(accepted: Accepted, *, as_json: bool) -> None:
    if as_json:
        show_json(accepted)
        return
    out(str(accepted.id))
    for one in accepted.others:
        click.echo(f"{one.id}  {one.channel}  {one.status}", err=True)
    if accepted.deduplicated:
        click.echo("Nothing new is sent: this is the one that has the --dedupe-key.", err=True)


def _row(event: TimelineEvent) -> tuple[str, ...]:
    attempt = f"attempt {event.attempt}" if event.attempt else ""
    until = f"until {moment(event.next_attempt_at)}" if event.next_attempt_at else None
    parts = (event.target, event.provider, event.reason, event.detail, until)
    words = " ".join(str(part) for part in parts if part)
    return (f"  {moment(event.at, exact=True)}", event.status, attempt, words)


async def _follow(tidings: Tidings, notification_id: UUID, seconds: float) -> Notification:
    console = Console(stderr=True)
    started = monotonic()
    with console.status("accepted") as line:
        while True:
            found = await tidings.notifications.read(notification_id)
            if found.settled:
                return found
            if monotonic() - started > seconds:
                raise CannotContinue(
                    f"{notification_id} is still {found.status} after {seconds:.0f} s. "
                    f"See later with: tidings status {notification_id}"
                )
            line.update(_now(found))
            await asyncio.sleep(ASK_EVERY)


def _now(notification: Notification) -> str:
    last = notification.timeline[-1] if notification.timeline else None
    detail = f": {last.detail}" if last and last.detail else ""
    return f"{notification.status}{detail}"

"""`tidings send --dry-run`: what would become of a notification, for a person to read."""

from tidings.cli.answers import explained
from tidings.cli.explaining import show_steps
from tidings.cli.tables import moment, out, show_json
from tidings.cli.target import Target
from tidings.client.sdk import Tidings
from tidings.contracts.explaining import ChannelOutlook, DryRun, Would
from tidings.contracts.notifications import NewNotification

_WOULD = {
    Would.SEND: "would be sent",
    Would.WAIT: "would wait",
    Would.NOT_SEND: "would not be sent",
    Would.UNKNOWN: "nobody can say now",
}


async def dry_run(target: Target, notification: NewNotification, *, as_json: bool) -> bool:
    """Show every decision about a notification, of which nothing is kept; whether it would be sent.

    Raises:
        CannotContinue: refused before anything could be decided, or no answer.
    """
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            said = await tidings.notifications.dry_run(notification)
    if as_json:
        show_json(said)
    else:
        _show(said)
    return said.would in {Would.SEND, Would.WAIT}


def _show(said: DryRun) -> None:
    code = f" ({said.code})" if said.code else ""
    out(f"{_verdict(said)}{code}")
    show_steps(said.steps)
    for one in said.channels:
        fallback = ", as fallback" if one.fallback else ""
        out(f"\n{one.channel}{fallback}: {_verdict(one)}")
        show_steps(one.steps)


def _verdict(said: DryRun | ChannelOutlook) -> str:
    until = f" until {moment(said.until)}" if said.until else ""
    reason = f" ({said.reason})" if said.reason else ""
    return f"{_WOULD[said.would]}{until}{reason}" + (f": {said.detail}" if said.detail else "")

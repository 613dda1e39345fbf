"""`tidings dead-letters …`: the commands and their options."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from tidings.cli.dead_letters.filtering import filter_options
from tidings.cli.options import target_options

if TYPE_CHECKING:
    from tidings.cli.target import Target
    from tidings.contracts.dead_letters import DeadLetterFilter

# What a command needs is imported when it runs, so that --help does not wait for it.
# ruff: noqa: PLC0415

Command = Callable[..., None]

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, in the words of the API.")


def limit_option(default: int, most: int) -> Callable[[Command], Command]:
    """Let a command have a `limit`."""
    return click.option(
        "--limit", type=click.IntRange(1, most), default=default, show_default=True, help="How many to show."
    )


@click.group("dead-letters")
def dead_letters() -> None:
    """Look through what could not be delivered, mend it, and send it again."""


@dead_letters.command("list")
@filter_options
@limit_option(50, 10_000)
@json_option
@target_options
def list_(*, wanted: "DeadLetterFilter", limit: int, as_json: bool, target: "Target") -> None:
    """List dead letters, newest first."""
    from tidings.cli.dead_letters import working

    asyncio.run(working.list_letters(target, wanted, limit=limit, as_json=as_json))


@dead_letters.command()
@filter_options
@limit_option(50, 200)
@json_option
@target_options
def groups(*, wanted: "DeadLetterFilter", limit: int, as_json: bool, target: "Target") -> None:
    """List them by cause, the largest groups first."""
    from tidings.cli.dead_letters import working

    asyncio.run(working.list_groups(target, wanted, limit=limit, as_json=as_json))


@dead_letters.command()
@click.argument("letter_id", metavar="ID", type=click.UUID)
@json_option
@target_options
def show(*, letter_id: UUID, as_json: bool, target: "Target") -> None:
    """Show one with its message, every attempt and its replays."""
    from tidings.cli.dead_letters import working

    asyncio.run(working.show(target, letter_id, as_json=as_json))


@dead_letters.command()
@click.argument("letter_id", metavar="ID", type=click.UUID)
@click.option(
    "--var", "variables", multiple=True, metavar="KEY=VALUE", help="Set a text of the template; repeatable."
)
@click.option("--variables", "merged", metavar="JSON", help="Set several, of any kind; null takes one away.")
@click.option("--template-version", metavar="N|newest", help="Which version to say it with.")
@click.option("--locale", metavar="TAG|user", help="BCP 47, like pt-BR, or the person's own.")
@click.option("--expires-at", metavar="MOMENT|never", help="2026-01-31T12:00:00Z, or never.")
@json_option
@target_options
def edit(*, letter_id: UUID, as_json: bool, target: "Target", **changes: Any) -> None:  # noqa: ANN401 - click's options
    """Change what a replay will say. The original stays beside it."""
    from tidings.cli.dead_letters import working
    from tidings.cli.dead_letters.editing import patch_of

    asyncio.run(working.edit(target, letter_id, patch_of(**changes), as_json=as_json))


@dead_letters.command()
@click.argument("ids", nargs=-1, metavar="[ID]...", type=click.UUID)
@filter_options
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1_000),
    default=50,
    show_default=True,
    help="Replays per second, at most.",
)
@click.option("--dry-run", is_flag=True, help="Only count what would be replayed, and skipped.")
@click.option("--again", is_flag=True, help="Also those that were replayed, or arrived, before.")
@click.option("--expired", is_flag=True, help="Also expired ones, without their expiry.")
@click.option("--everything", is_flag=True, help="Without ids and filter: all there are.")
@click.option("--no-wait", is_flag=True, help="Leave the job to the gateways, and only print its id.")
@json_option
@target_options
def replay(
    *,
    ids: tuple[UUID, ...],
    wanted: "DeadLetterFilter",
    rate: float,
    dry_run: bool,
    again: bool,
    expired: bool,
    everything: bool,
    no_wait: bool,
    as_json: bool,
    target: "Target",
) -> None:
    """Send dead letters again, as new notifications that are linked to the old ones.

    Ctrl-C stops the replay for good; what was replayed stays so. One ID alone prints the id of its new
    notification.
    """
    from msgspec.structs import replace

    from tidings.cli.dead_letters import working
    from tidings.contracts.dead_letters import NewReplayJob, is_narrow

    if not (ids or is_narrow(wanted) or everything):
        raise click.UsageError("Name ids, give a filter, or say --everything.")
    if len(ids) == 1 and not (is_narrow(wanted) or dry_run or expired):
        asyncio.run(working.replay_one(target, ids[0], again=again, as_json=as_json))
        return
    job = NewReplayJob(
        filter=replace(wanted, ids=list(ids) or None), rate=rate, skip_expired=not expired, again=again
    )
    if dry_run:
        asyncio.run(working.plan(target, job, as_json=as_json))
    else:
        asyncio.run(working.replay_many(target, job, wait=not no_wait, as_json=as_json))


@dead_letters.command()
@click.argument("job_id", metavar="JOB", type=click.UUID)
@click.option("--cancel", is_flag=True, help="Stop it for good.")
@json_option
@target_options
def job(*, job_id: UUID, cancel: bool, as_json: bool, target: "Target") -> None:
    """Show how far a replay has come."""
    from tidings.cli.dead_letters import working

    asyncio.run(working.job(target, job_id, cancel=cancel, as_json=as_json))


@dead_letters.command()
@click.argument("ids", nargs=-1, metavar="[ID]...", type=click.UUID)
@filter_options
@click.option("--everything", is_flag=True, help="Without ids and filter: all there are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_options
def discard(
    *, ids: tuple[UUID, ...], wanted: "DeadLetterFilter", everything: bool, yes: bool, target: "Target"
) -> None:
    """Delete dead letters for good. Their notifications stay, as dead-lettered."""
    from tidings.cli.dead_letters import working

    if not yes:
        click.confirm("Dead letters cannot be brought back. Discard them?", abort=True)
    asyncio.run(working.discard(target, wanted, ids, everything=everything))

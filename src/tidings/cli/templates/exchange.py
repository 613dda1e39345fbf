"""A folder and a server, compared and brought together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tidings.cli.answers import explained
from tidings.cli.errors import CannotContinue
from tidings.cli.target import Target
from tidings.cli.templates.folder import Contents, Folder
from tidings.cli.templates.pulling import Pull, missing
from tidings.cli.templates.pushing import Push
from tidings.cli.templates.server import Server, read_server
from tidings.cli.templates.showing import Printer
from tidings.cli.templates.synced import Synced
from tidings.client.authoring import AuthoringClient


async def pull(target: Target, root: Path, only: Sequence[str]) -> bool:
    """Write what the server has published; returns whether all of it could be written.

    Raises:
        CannotContinue: no answer, or a template named is not there.
    """
    printer, folder = Printer(), Folder(root)
    with explained(target.url):
        async with AuthoringClient.open(target.url, target.api_key) as authoring:
            server = await _read(authoring, printer, only or None)
    absent = missing(only, server)
    if absent:
        raise CannotContinue(f"{target.url} has published no template {', '.join(absent)}.")
    run = Pull(folder, Synced(root, target.url))
    lines = list(run.run(server))
    for line in lines:
        printer.say(line)
    printer.faults(run.faults)
    printer.remark(f"{len(server.templates)} templates, {len(lines)} files written or removed in {root}")
    return not run.faults


async def push(target: Target, root: Path, only: Sequence[str], *, dry_run: bool, force: bool) -> bool:
    """Publish what differs, or only show it; returns whether nothing was faulty.

    Raises:
        CannotContinue: no answer, or a template named is not there.
    """
    async with _compared(target, root, only, force=force) as (contents, run, printer):
        plan = run.plan()
        if dry_run:
            for change in plan:
                printer.change(change)
            faults = [fault for change in plan if (fault := run.overwrites(change))]
            words = f"{len(plan)} would change"
        else:
            pushed = await run.run(plan)
            faults, words = pushed.faults, f"{pushed.done} changed"
        printer.faults([*contents.faults, *faults])
        printer.remark(f"{words}, {len(contents.faults) + len(faults)} faults")
        return not (contents.faults or faults)


async def diff(target: Target, root: Path, only: Sequence[str]) -> bool:
    """Show what a push would change; returns whether that is nothing.

    Raises:
        CannotContinue: no answer, or a template named is not there.
    """
    async with _compared(target, root, only, force=False) as (contents, run, printer):
        plan = run.plan()
        for change in plan:
            printer.change(change)
        printer.faults(contents.faults)
        return not (plan or contents.faults)


@asynccontextmanager
async def _compared(
    target: Target, root: Path, only: Sequence[str], *, force: bool
) -> AsyncIterator[tuple[Contents, Push, Printer]]:
    printer, contents = Printer(), Folder(root).read(only)
    with explained(target.url):
        async with AuthoringClient.open(target.url, target.api_key) as authoring:
            run = Push(
                authoring=authoring,
                contents=contents,
                server=await _read(authoring, printer, contents.files),
                synced=Synced(root, target.url),
                printer=printer,
                force=force,
            )
            yield contents, run, printer


async def _read(
    authoring: AuthoringClient, printer: Printer, only: Sequence[str] | dict[str, dict[str, str]] | None
) -> Server:
    with printer.progress("reading", len(only) if only is not None else None) as advance:
        return await read_server(authoring, only, advance)

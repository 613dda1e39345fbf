"""`tidings templates push`: what a folder says, published."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tidings.cli.templates.comparing import Change, Kind, changes
from tidings.cli.templates.faults import FileFault
from tidings.cli.templates.folder import PARTIALS, Contents
from tidings.cli.templates.places import fault_at, line_named_in
from tidings.cli.templates.server import Server
from tidings.cli.templates.showing import Printer
from tidings.cli.templates.synced import Synced
from tidings.client.authoring import AuthoringClient
from tidings.client.http import RemoteProblem
from tidings.contracts.templates import NewTemplate
from tidings.kit.errors import Problem

_CHANGED_MEANWHILE = "changed_meanwhile"
_PULL_FIRST = (
    "was changed on the server since this folder was last the same. Keep the folder in git, run "
    "`tidings templates pull` and bring both together, or overwrite the server's with push --force"
)


@dataclass(slots=True)
class Pushed:
    """What came of a push."""

    done: int = 0
    faults: list[FileFault] = field(default_factory=list)


class Push:
    """One push of what a folder holds to a server, as both were read."""

    def __init__(
        self,
        *,
        authoring: AuthoringClient,
        contents: Contents,
        server: Server,
        synced: Synced,
        printer: Printer,
        force: bool,
    ) -> None:
        self._authoring = authoring
        self._contents = contents
        self._server = server
        self._synced = synced
        self._printer = printer
        self._force = force

    def plan(self) -> Sequence[Change]:
        """What differs, in the order in which it is pushed. What does not is remembered as the same."""
        found = list(changes(self._contents, self._server))
        differing = {change.path for change in found}
        for template_id, published in self._server.templates.items():
            if template_id in self._contents.templates and template_id not in differing:
                self._synced.record(template_id, published.etag)
        for name, partial in self._server.partials.items():
            if name in self._contents.partials and f"{PARTIALS}/{name}" not in differing:
                self._synced.record(f"{PARTIALS}/{name}", partial.etag)
        return found

    async def run(self, plan: Sequence[Change]) -> Pushed:
        """Show and make each change; one that is refused does not stop the others."""
        pushed = Pushed()
        try:
            for change in plan:
                self._printer.change(change)
                faults = await self._try(change)
                pushed.faults += faults
                pushed.done += not faults
        finally:
            self._synced.save()
        return pushed

    def overwrites(self, change: Change) -> FileFault | None:
        """Why a change must not be made: somebody else's came between."""
        known = self._synced.tag(change.path)
        if self._force or change.kind is not Kind.CHANGED or known in {None, change.etag}:
            return None
        return FileFault(change.path, _PULL_FIRST)

    async def _try(self, change: Change) -> list[FileFault]:
        overwritten = self.overwrites(change)
        if overwritten:
            return [overwritten]
        try:
            etag, words = await self._make(change)
        except RemoteProblem as refused:
            if refused.problem.code == _CHANGED_MEANWHILE:
                return [FileFault(change.path, _PULL_FIRST)]
            return self._faults(change, refused.problem)
        self._synced.record(change.path, etag)
        self._printer.say(f"{change.path}: {words}", "green")
        return []

    async def _make(self, change: Change) -> tuple[str | None, str]:
        condition = None if self._force else change.etag
        if change.partial is not None:
            source = self._contents.partials[change.partial]
            stored = await self._authoring.put_partial(change.partial, source, if_match=condition)
            return stored.etag, "stored"
        content = self._contents.templates[change.path]
        if change.kind is Kind.NEW and change.path not in self._server.drafts:
            new = NewTemplate(id=change.path, **msgspec.structs.asdict(content))
            made = await self._authoring.create(new)
        else:
            made = await self._authoring.publish(change.path, content, if_match=condition)
        return made.etag, f"published as version {made.value.version}"

    def _faults(self, change: Change, problem: Problem) -> list[FileFault]:
        words = f"{problem.detail} ({problem.code})"
        if change.partial is not None:
            path = self._contents.partial_files[change.partial]
            return [FileFault(path, words, line_named_in(words))]
        files = self._contents.files[change.path]
        return [
            fault_at(files, fault.field, fault.message).within(change.path) for fault in problem.errors
        ] or [FileFault(change.path, words)]

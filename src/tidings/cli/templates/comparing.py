"""What a push would change on a server."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tidings.cli.templates.faults import Faulty
from tidings.cli.templates.files import files_of, normal_lines, same_meaning
from tidings.cli.templates.folder import PARTIALS, Contents
from tidings.cli.templates.names import stands_alone
from tidings.cli.templates.server import Published, Server
from tidings.contracts.templates import TemplateContent


class Kind(StrEnum):
    """Why something is pushed."""

    NEW = "new"
    CHANGED = "changed"
    OUTDATED = "outdated"
    """Its own files are the same; a partial it was published with is not."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file before and after; None where there is none."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a push would do to one template or partial. `etag` is that of what it replaces."""

    path: str
    kind: Kind
    files: list[FileChange]
    etag: str | None = None

    @property
    def partial(self) -> str | None:
        """The name of the partial, if it is one."""
        folder, _, name = self.path.partition("/")
        return name if folder == PARTIALS and name else None


def changes(contents: Contents, server: Server) -> Iterator[Change]:
    """Partials first, because templates are published with what those are then."""
    for name, source in sorted(contents.partials.items()):
        stored = server.partials.get(name)
        before = normal_lines(stored.value.source) if stored else None
        if before != source:
            file = FileChange(contents.partial_files[name], before, source)
            kind, etag = (Kind.CHANGED, stored.etag) if stored else (Kind.NEW, None)
            yield Change(f"{PARTIALS}/{name}", kind, [file], etag)
    for template_id, content in sorted(contents.templates.items()):
        change = _template(template_id, content, server.templates.get(template_id), contents.partials)
        if change is not None:
            yield change


def _template(
    template_id: str, content: TemplateContent, stored: Published | None, partials: dict[str, str]
) -> Change | None:
    after = files_of(content)
    before = {} if stored is None else _files_on_server(stored.content)
    files = [
        FileChange(f"{template_id}/{name}", before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if not _same(name, before, after)
    ]
    if stored is None:
        return Change(template_id, Kind.NEW, files)
    if files:
        return Change(template_id, Kind.CHANGED, files, stored.etag)
    used = stored.partials.items()
    if any(partials.get(name, normal_lines(source)) != normal_lines(source) for name, source in used):
        return Change(template_id, Kind.OUTDATED, [], stored.etag)
    return None


def _files_on_server(content: TemplateContent) -> dict[str, str]:
    try:
        return files_of(content)
    except Faulty:  # written through the API in a way that no files can say: all of it is replaced
        return {}


def _same(name: str, before: dict[str, str], after: dict[str, str]) -> bool:
    if name not in before or name not in after:
        return False
    return same_meaning(name, before[name], after[name], alone=stands_alone(name, after))

"""`tidings templates pull`: what a server has published, as files."""

from collections.abc import Collection, Iterator, Mapping

from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.files import files_of, normal_lines, same_meaning
from tidings.cli.templates.folder import PARTIALS, Folder
from tidings.cli.templates.names import stands_alone
from tidings.cli.templates.server import Server
from tidings.cli.templates.synced import Synced
from tidings.contracts.templates import TemplateContent


class Pull:
    """One pull into a folder. Files that say the same already stay as they are, comments and all."""

    def __init__(self, folder: Folder, synced: Synced) -> None:
        self._folder = folder
        self._synced = synced
        self.faults: list[FileFault] = []

    def run(self, server: Server) -> Iterator[str]:
        """Write what differs; yields a line for each file."""
        for name, partial in sorted(server.partials.items()):
            yield from self._partial(name, normal_lines(partial.value.source))
            self._synced.record(f"{PARTIALS}/{name}", partial.etag)
        for template_id, published in sorted(server.templates.items()):
            try:
                yield from self._template(template_id, published.content)
            except Faulty as found:
                self.faults += [fault.within(template_id) for fault in found.faults]
            else:
                self._synced.record(template_id, published.etag)
        self._synced.save()

    def _partial(self, name: str, source: str) -> Iterator[str]:
        existing = self._folder.texts(PARTIALS)
        ending = "mjml" if "<mj" in source else "html"
        path = next(
            (file for file in (f"{name}.mjml", f"{name}.html") if file in existing), f"{name}.{ending}"
        )
        if existing.get(path) != source:
            yield from self._write(f"{PARTIALS}/{path}", source, new=path not in existing)

    def _template(self, template_id: str, content: TemplateContent) -> Iterator[str]:
        if template_id == PARTIALS:
            raise Faulty(FileFault(PARTIALS, "is the folder of partials, so no template of this id fits in"))
        files, existing = files_of(content), self._folder.texts(template_id)
        for name, text in files.items():
            if not _kept(name, text, existing, alone=stands_alone(name, files)):
                yield from self._write(f"{template_id}/{name}", text, new=name not in existing)
        for name in existing.keys() - files.keys():
            self._folder.remove(f"{template_id}/{name}")
            yield f"removed  {template_id}/{name}"

    def _write(self, path: str, text: str, *, new: bool) -> Iterator[str]:
        self._folder.write(path, text)
        yield f"{'added' if new else 'changed'}  {path}"


def missing(only: Collection[str], server: Server) -> list[str]:
    """Which of the templates asked for a server has not published."""
    return sorted(set(only) - server.templates.keys())


def _kept(name: str, text: str, existing: Mapping[str, str], *, alone: bool) -> bool:
    return name in existing and same_meaning(name, existing[name], text, alone=alone)

"""The folder that templates live in: what is read from it and written to it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tidings.cli.errors import CannotContinue
from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.files import content_of, normal_lines
from tidings.cli.templates.names import is_part
from tidings.contracts.base import Slug
from tidings.contracts.templates import TemplateContent

PARTIALS = "partials"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder says. `files` are texts by template and name; a faulty template is not in `templates`."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    templates: dict[str, TemplateContent] = field(default_factory=dict)
    partials: dict[str, str] = field(default_factory=dict)
    partial_files: dict[str, str] = field(default_factory=dict)
    faults: list[FileFault] = field(default_factory=list)


class Folder:
    """One folder per template, and `partials`. Names that begin with a dot, and *.md, are others'."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, only: Collection[str] = ()) -> Contents:
        """Everything, or the templates `only` with all partials.

        Raises:
            CannotContinue: the folder, or a template named, is not there.
        """
        if not self.root.is_dir():
            raise CannotContinue(f"There is no folder {self.root}. Name another with --folder.")
        contents = Contents()
        self._read_partials(contents)
        folders = {path.name: path for path in _visible(self.root) if path.is_dir()}
        folders.pop(PARTIALS, None)
        unknown = sorted(set(only) - folders.keys())
        if unknown:
            raise CannotContinue(f"There is no template {', '.join(unknown)} in {self.root}.")
        for name in sorted(only or folders):
            self._read_template(folders[name], contents)
        return contents

    def texts(self, folder: str) -> dict[str, str]:
        """The parts of a template, or the partials, as they are; what cannot be read is left out."""
        path, unreadable = self.root / folder, list[FileFault]()
        if not path.is_dir():
            return {}
        named = [file for file in _visible(path) if is_part(file.name) or folder == PARTIALS]
        texts = {file.name: _text(file, file.name, unreadable) for file in named}
        return {name: text for name, text in texts.items() if text is not None}

    def write(self, path: str, text: str) -> None:
        """Put a text where `path`, below the folder, says."""
        target = self.root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
        except OSError as error:
            raise CannotContinue(f"{target} cannot be written: {error.strerror}.") from error

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""
        (self.root / path).unlink(missing_ok=True)

    def _read_partials(self, contents: Contents) -> None:
        folder = self.root / PARTIALS
        for path in _visible(folder) if folder.is_dir() else ():
            shown = f"{PARTIALS}/{path.name}"
            if path.suffix not in {".html", ".mjml"} or not _is_slug(path.stem):
                words = "a partial is named <name>.html or <name>.mjml, in lower case"
                contents.faults.append(FileFault(shown, words))
            elif path.stem in contents.partials:
                words = f"stands beside {contents.partial_files[path.stem]}; keep one of the two"
                contents.faults.append(FileFault(shown, words))
            elif (text := _text(path, shown, contents.faults)) is not None:
                contents.partials[path.stem] = text
                contents.partial_files[path.stem] = shown

    def _read_template(self, folder: Path, contents: Contents) -> None:
        name = folder.name
        faults: list[FileFault] = []
        if not _is_slug(name):
            words = "a template's folder has its id: lower-case letters, digits, `_`, `.`, `-`"
            faults.append(FileFault(name, words))
        files: dict[str, str] = {}
        for path in _visible(folder):
            shown = f"{name}/{path.name}"
            if not is_part(path.name):
                words = "is none of template.yaml, email.<locale>.mjml|html|txt, push.<locale>.yaml"
                faults.append(FileFault(shown, words))
            elif (text := _text(path, shown, faults)) is not None:
                files[path.name] = text
        contents.files[name] = files
        try:
            content = content_of(files)
        except Faulty as found:
            faults += [fault.within(name) for fault in found.faults]
        else:
            if not faults:
                contents.templates[name] = content
        contents.faults.extend(faults)


def _visible(folder: Path) -> Iterable[Path]:
    return sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() != ".md"
    )


def _text(path: Path, shown: str, faults: list[FileFault]) -> str | None:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        faults.append(FileFault(shown, f"is not UTF-8 (byte {error.start})"))
    except OSError as error:
        faults.append(FileFault(shown, f"cannot be read: {error.strerror}"))
    else:
        # Editors on some systems save \r\n; a message has one kind of line end.
        return normal_lines(text)
    return None


def _is_slug(name: str) -> bool:
    try:
        msgspec.convert(name, Slug)
    except msgspec.ValidationError:
        return False
    return name != PARTIALS

"""Where in which file something stands that is named by its place in a template's body."""

import re
from collections.abc import Mapping

from tidings.cli.templates import front_matter
from tidings.cli.templates.faults import FileFault
from tidings.cli.templates.names import ABOUT, forms_of, push_file
from tidings.cli.templates.reading import steps
from tidings.cli.templates.yaml_text import line_of

Place = tuple[str, int | None]

_LINE = re.compile(r"\bline (\d+)")


def place_of(files: Mapping[str, str], path: str, line: int | None = None) -> Place:
    """The file and its line for a JSONPath such as `$.content.en.email.html` and a line in that source.

    The files have to be well-formed.
    """
    match steps(path):
        case ("content", str(locale), "push", *field) if push_file(locale) in files:
            name = push_file(locale)
            return name, line_of(files[name], tuple(field))
        case ("content", str(locale), "email", *field) if forms_of(files, locale):
            return _in_email(files, forms_of(files, locale), str(field[0]) if field else "", line)
        case ("content", *_):
            return ABOUT, None
        case other:
            return ABOUT, line_of(files.get(ABOUT, ""), other)


def fault_at(files: Mapping[str, str], path: str, message: str) -> FileFault:
    """A fault named by its place in a template's body, as one in the template's files."""
    name, line = place_of(files, path, line_named_in(message))
    return FileFault(name, message, line)


def line_named_in(message: str) -> int | None:
    """The line that a fault's own words name."""
    found = _LINE.search(message)
    return int(found[1]) if found else None


def _in_email(files: Mapping[str, str], forms: Mapping[str, str], field: str, line: int | None) -> Place:
    first = next(iter(forms.values()))
    name = forms.get(field)
    if name is None:
        return first, front_matter.line_in(files[first], field)
    before = front_matter.lines_before(files[first]) if name == first else 0
    return name, before + line if line else None

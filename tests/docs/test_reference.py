"""The pages of docs that list things list what is there."""

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch

from docs.markdown import ROOT, table_rows
from docs.problem_codes import problem_codes
from docs.settings_page import COMMAND, PAGE, settings_page

ERRORS = ROOT / "docs" / "errors.md"
DEPENDENCIES = ROOT / "docs" / "decisions" / "0009-dependencies.md"


def test_settings() -> None:
    """docs/settings.md lists every setting of every service as it is."""
    assert PAGE.read_text("utf-8") == settings_page(), f"docs/settings.md is old; write it with: {COMMAND}"


def test_settings_are_explained() -> None:
    """No setting lacks a description."""
    assert [names for names, (meaning, *_) in table_rows(PAGE).items() if not meaning] == []


def test_problem_codes() -> None:
    """docs/errors.md has every problem code of the source with its statuses, and no other."""
    found = problem_codes()
    documented = {
        code: {int(status) for status in re.findall(r"\d+", statuses)}
        for (code, *_), (statuses, *_) in table_rows(ERRORS).items()
    }
    right = {code: _statuses(code, found) for code in documented}
    assert documented == right
    assert [pattern for pattern in found if not any(fnmatch(code, pattern) for code in documented)] == []


def test_dependencies() -> None:
    """Decision 0009 gives a reason for every dependency, and for nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = {re.split(r"[^\w.-]", requirement)[0] for requirement in project["dependencies"]}
    assert {name for names in table_rows(DEPENDENCIES) for name in names} == required


def _statuses(code: str, found: Mapping[str, set[int]]) -> set[int] | None:
    """What the source says of a code, in full or as a pattern."""
    return found.get(code) or next(
        (statuses for pattern, statuses in found.items() if fnmatch(code, pattern)), None
    )

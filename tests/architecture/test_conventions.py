"""House rules that no linter checks."""

import ast
import importlib
import re
import typing

import msgspec
import pytest

from architecture.sources import PACKAGE, ROOT, SERVICES, functions, shown, sources
from tidings.kit.settings import Settings

TESTS = ROOT / "tests"
EVERYTHING = sources(PACKAGE, TESTS)
# Written in two halves, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MOCKS = re.compile(r"unittest\.mo" r"ck|\bMagicMo" r"ck\b|monkeypatch\.(set|del)attr|\bmocke" r"r\b")
SUPPRESSION = re.compile(r"# (noqa|type: ignore)")
WITH_CODE_AND_REASON = re.compile(
    r"# (noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - |type: ignore\[[a-z-]+(, ?[a-z-]+)*\] +# )\S"
)


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


def test_every_test_says_what_it_shows() -> None:
    """Each test has a docstring of one line that states the behaviour."""
    silent = []
    for path in sources(TESTS):
        for node in functions(path):
            said = node.body[0]
            documented = isinstance(said, ast.Expr) and said.lineno == said.end_lineno
            if node.name.startswith("test_") and not documented:
                silent.append(f"{shown(path)}:{node.lineno}: {node.name}")
    assert silent == []


def test_nothing_of_ours_is_mocked() -> None:
    """Tests run the code as it is deployed, against real servers."""
    assert lines_with(MOCKS) == []


def test_nothing_is_left_to_be_done() -> None:
    """What is missing is an issue, not a remark in the source."""
    assert lines_with(UNFINISHED) == []


def test_every_suppressed_warning_has_its_reason() -> None:
    """A check is switched off for one line, by its code, and the line says why."""
    unexplained = [line for line in lines_with(SUPPRESSION) if not WITH_CODE_AND_REASON.search(line)]
    assert unexplained == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_explains_itself(service: str) -> None:
    """A missing variable is told with its meaning and an example, so each setting has both."""
    module = importlib.import_module(f"tidings.{service}.settings")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Settings)]
    assert kinds
    silent = {
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name, hint in typing.get_type_hints(kind, include_extras=True).items()
        for meta in [meta_of(hint)]
        if meta is None or not (meta.description and meta.examples)
    }
    assert silent == set()


def meta_of(hint: object) -> msgspec.Meta | None:
    """What is said about a setting; of an optional one, about its value."""
    parts = [part for member in (hint, *typing.get_args(hint)) for part in typing.get_args(member)]
    return next((part for part in parts if isinstance(part, msgspec.Meta)), None)

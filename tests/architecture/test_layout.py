"""The shape of the source: who imports whom, what is where, how long things are."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.sources import PACKAGE, ROOT, SERVICES, functions, shown, sources, texts

SOURCE = sources(PACKAGE)
SQL = re.compile(
    r"\s*(select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s"
    r"|(create|alter|drop)\s+(table|index|role|database|schema)\s|grant\s)",
    re.IGNORECASE,
)
HOLDS_SQL = (
    "*/store.py",
    "*/*_store.py",
    "*/migrations/versions/*.py",
    "kit/database.py",
    "kit/migrations.py",
)
SETS_UP_DATABASES = ("kit/broker/postgres/*.py", "cli/provision.py", "cli/engines/*.py")


def matches(path: Path, patterns: tuple[str, ...]) -> bool:
    return any(path.relative_to(PACKAGE).match(pattern) for pattern in patterns)


def test_the_import_contracts_hold() -> None:
    """Layers point down, services never import one another, and contracts are pure data."""
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_opens_the_same_way(service: str) -> None:
    """Who knows one service folder finds the composition root and the settings of every other."""
    assert {"app.py", "settings.py"} <= {path.name for path in (PACKAGE / service).iterdir()}


@pytest.mark.parametrize("service", [name for name in SERVICES if (PACKAGE / name / "migrations").exists()])
def test_a_service_with_migrations_has_a_store(service: str) -> None:
    """A service's statements are where they are looked for: in its store, or in one of each of its parts."""
    assert list((PACKAGE / service).rglob("store.py"))


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "models", "misc"])
def test_files_are_named_for_what_they_do(name: str) -> None:
    """A name that says nothing attracts everything."""
    assert [shown(path) for path in SOURCE if name in {path.stem, path.parent.name}] == []


def test_sql_stays_in_the_stores() -> None:
    """Statements are in stores, in migrations, and where databases themselves are set up."""
    elsewhere = [
        f"{shown(path)}:{text.lineno}: {str(text.value).strip()[:60]}"
        for path in SOURCE
        if not matches(path, HOLDS_SQL + SETS_UP_DATABASES)
        for text in texts(path)
        if SQL.match(str(text.value))
    ]
    assert elsewhere == []


def test_files_and_functions_are_short() -> None:
    """No file is longer than 400 lines; of the functions 95 % fit on a screen."""
    files = {shown(path): len(path.read_text().splitlines()) for path in sources(PACKAGE, ROOT / "tests")}
    assert {path: lines for path, lines in files.items() if lines > 400} == {}
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1 for path in SOURCE for node in functions(path)
    ]
    assert statistics.quantiles(lengths, n=20)[-1] <= 40

"""Patterns in words."""

import ast
from pathlib import Path

import pytest

import tidings
from tidings.kit.patterns import WORDS, in_words

SOURCE = Path(tidings.__file__).parent
FOLDERS = ("contracts", "gateway", "users", "templates", "kit", "simulator")


def patterns_in(path: Path) -> set[str]:
    """The patterns that a module demands of texts, given there or by the name of a constant."""
    module = ast.parse(path.read_text("utf-8"))
    named = {
        node.targets[0].id: node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    given = [
        node.value for node in ast.walk(module) if isinstance(node, ast.keyword) and node.arg == "pattern"
    ]
    values = [named.get(one.id, one) if isinstance(one, ast.Name) else one for one in given]
    return {one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def test_every_pattern_has_words() -> None:
    """Whatever a request must match is said in words; settings have examples instead."""
    modules = [path for folder in FOLDERS for path in (SOURCE / folder).rglob("*.py")]
    demanded = {pattern for path in modules if path.name != "settings.py" for pattern in patterns_in(path)}
    assert demanded == set(WORDS)


@pytest.mark.parametrize("pattern", WORDS)
def test_a_message_shows_no_pattern(pattern: str) -> None:
    """The words stand in the place of the pattern, and the rest of the message stays."""
    message = f"Expected `str` matching regex {pattern!r} - at `$.x`"
    assert in_words(message) == f"Expected `str` {WORDS[pattern]} - at `$.x`"


def test_an_unknown_pattern_stays() -> None:
    """A message about a pattern of another library is left as it is."""
    assert in_words("Expected `str` matching regex 'a+'") == "Expected `str` matching regex 'a+'"

"""Scopes and roles: those that the services ask for are those there are, and the docs list them."""

import re
from pathlib import Path

import tidings
from docs.markdown import ROOT, table_rows
from tidings.contracts.scopes import ROLE_SCOPES, SERVICE_SCOPES, Role, Scope

SOURCE = Path(tidings.__file__).parent
KEYS = ROOT / "docs" / "keys.md"


def scopes_asked_for() -> set[str]:
    texts = [path.read_text("utf-8") for path in SOURCE.rglob("*.py")]
    return {scope for text in texts for scope in re.findall(r"""requires\(\s*["']([^"']+)["']""", text)}


def test_the_scopes_there_are_are_those_asked_for() -> None:
    """A route that asks for a new scope needs it in `Scope` too, or no key could ever hold it."""
    assert scopes_asked_for() == ({*Scope} - {Scope.EVERYTHING}) | SERVICE_SCOPES


def test_the_documents_list_scopes_and_roles() -> None:
    """docs/keys.md has every scope, with the roles that hold it."""
    documented = {
        name: set(re.findall(r"`(\w+)`", cells[-1]))
        for (name, *_), cells in table_rows(KEYS).items()
        if ":" in name or name == Scope.EVERYTHING
    }
    held = {
        scope: {role for role in Role if ROLE_SCOPES[role] & {scope, Scope.EVERYTHING}} for scope in Scope
    }
    assert documented == held


def test_each_role_holds_more_than_a_viewer() -> None:
    """Whoever has a role can read what a viewer reads."""
    for scopes in ROLE_SCOPES.values():
        assert scopes >= ROLE_SCOPES[Role.VIEWER] or Scope.EVERYTHING in scopes

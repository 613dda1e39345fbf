"""docs/audit-log.md knows every action that the services record."""

import re

import tidings
from docs.markdown import ROOT, table_rows

PAGE = ROOT / "docs" / "audit-log.md"
RECORDING = ("gateway", "users", "templates", "kit/audit")
ACTION = re.compile(r'"([a-z_]+\.(?:[a-z]+_)?[a-z]+ed)"')
"""An action is named as `<noun>.<past participle>`; nothing else in these services is."""


def test_actions() -> None:
    """The table lists the actions there are, and no other."""
    sources = [
        path.read_text("utf-8")
        for service in RECORDING
        for path in (ROOT / "src" / tidings.__name__ / service).rglob("*.py")
    ]
    recorded = {action for source in sources for action in ACTION.findall(source)}
    assert {name for (name, *_) in table_rows(PAGE) if "." in name} == recorded

"""The examples of docs/channels.md are requests that the gateway takes, and answers that it gives."""

import re
from typing import Any

import msgspec

from docs.markdown import ROOT, blocks
from tidings.contracts.codes import Reached
from tidings.contracts.notifications import Accepted, NewNotification
from tidings.gateway.channels.naming import check_channels

PAGE = ROOT / "docs" / "channels.md"
NEEDED = {"channel": "push", "user_id": "somebody", "template_id": "welcome"}


def examples() -> list[dict[str, Any]]:
    return [msgspec.json.decode(block.text) for block in blocks(PAGE) if block.info == "json"]


def test_requests() -> None:
    """Each example, completed where it shows only what it is about, is a request without a mistake."""
    (command,) = [block.text for block in blocks(PAGE) if block.info == "sh"]
    body = re.search(r"-d '(.*)'", command, re.DOTALL)
    assert body is not None
    shown = [msgspec.json.decode(body[1]), *(one for one in examples() if "id" not in one)]
    for one in shown:
        check_channels(msgspec.convert(NEEDED | one, NewNotification))
    assert len(shown) == 3


def test_the_answer() -> None:
    """The example of an answer has all that such an answer has."""
    (shown,) = [one for one in examples() if "id" in one]
    assert msgspec.to_builtins(msgspec.convert(shown, Accepted)) == shown


def test_how_far_it_got() -> None:
    """The table of `unless` has every value, in order."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == ["unless", *Reached]

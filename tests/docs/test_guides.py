"""The commands of the pages in docs/ do what the pages say, typed one after the other."""

import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.markdown import ROOT, blocks
from docs.shell import run
from support.commands import folder_for_homes
from support.servers import ValkeyNode
from support.stack import Stack
from tidings.cli.app import app

PAGES = [
    pytest.param(page, id=page.name)
    for page in sorted((ROOT / "docs").glob("*.md"))
    if any(block.info == "sh" for block in blocks(page))
]
READER = "01990c3e-2b1f-7c41-9a55-6f0d3c8e7b21"
"""The person whom the pages write to."""

# What a reader has done before: a key, a notification that waits and a schedule. A stream without an end is
# read for a while. Every other answer has to be a good one, whether or not the page asks curl to look.
BEFORE = """
export TIDINGS_API_KEY={api_key} TIDINGS_URL={gateway} GATEWAY={gateway} USER_ID={user_id}
export PATH="$PWD/.venv/bin:$PATH" AUTH="Authorization: Bearer $TIDINGS_API_KEY"
curl() {{
  case "$*" in
    *-sN*) command curl --fail-with-body --max-time 2 "$@" || [ $? = 28 ] ;;
    *) command curl --fail-with-body "$@" ;;
  esac
}}
what="--channel email --user $USER_ID --template welcome --var name=Ada --var link=https://example.com"
LATER=$(date -u -d "2 days" +%Y-%m-%dT09:00:00)
ID=$(tidings send $what --send-at "${{LATER}}Z")
schedule=$(tidings schedules add $what --rule FREQ=DAILY --start "$LATER")
SCHEDULE_ID=${{schedule%% *}}
"""

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl, which is not installed"),
]


TYPED = [
    pytest.param(line.removeprefix("$ "), id=f"{page.name}: {line}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in blocks(page)
    if block.info == "console"
    for line in block.text.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """What `make up` starts, in a folder in which it might have been typed."""
    valkey = ValkeyNode()  # of the embedded one services wait for a moment only
    with folder_for_homes() as folder:
        (folder / ".venv").symlink_to(Path(sys.prefix))
        stack = await Stack.start(folder / ".tidings", options={"cache": valkey.url})
        try:
            yield stack
        finally:
            await stack.stop()
            valkey.stop()


@pytest.mark.parametrize("page", PAGES)
def test_commands(stack: Stack, page: Path) -> None:
    """Every shell block of a page succeeds, on a system that has what the page speaks of."""
    ready = stack.ready
    before = BEFORE.format(api_key=ready["api_key"], gateway=stack.gateway, user_id=ready["user_id"])
    known = {"https://notify.example.com": stack.gateway, READER: ready["user_id"]}
    run(page, stack.home.parent, before=before, known=known)


@pytest.mark.parametrize("command", TYPED)
def test_commands_shown_with_an_output(command: str) -> None:
    """What a page shows as typed is a command of ours, with options that it has."""
    program, *words = shlex.split(command)
    done = CliRunner().invoke(app, [*words, "--help"])
    assert (program, done.exit_code) == ("tidings", 0), done.output

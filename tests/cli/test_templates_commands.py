"""`tidings templates …` as a person types it."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.commands import run_command
from support.stack import Stack

pytestmark = pytest.mark.journey

ABOUT = "sample: {name: Ada}\n"
HELLO = "---\nsubject: 'Hello {{ name }}'\n---\n<p>Hello {{ name }}</p>\n"


@pytest.fixture(scope="module")
async def stack(shared_home: Path) -> AsyncIterator[Stack]:
    running = await Stack.start(shared_home)
    yield running
    await running.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a template of its own."""
    folder = tmp_path / "templates"
    _write(folder, "hello/template.yaml", ABOUT)
    _write(folder, "hello/email.en.html", HELLO)
    return folder


def _write(folder: Path, path: str, text: str) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


async def _run(tmp_path: Path, *words: str) -> tuple[int, str]:
    return await run_command(tmp_path, "templates", *words)


async def test_pull_what_the_first_start_stored(stack: Stack, tmp_path: Path) -> None:
    """The ready-made templates become files, which are then the same as the server's and without fault."""
    where = ("--folder", str(tmp_path / "templates"))
    code, shown = await _run(tmp_path, "pull", *where, "--home", str(stack.home))
    assert code == 0, shown
    assert (tmp_path / "templates" / "invoice" / "email.pt-BR.mjml").exists()
    assert await _run(tmp_path, "diff", *where, "--home", str(stack.home)) == (0, "")
    code, shown = await _run(tmp_path, "lint", *where)
    assert (code, shown.splitlines()[-1]) == (0, "7 templates, 0 faults, 0 warnings")


async def test_push_and_what_it_would_change(stack: Stack, tmp_path: Path, folder: Path) -> None:
    """A dry run and `diff` show the change and make none; a push makes it, and the next one nothing."""
    where = ("--folder", str(folder), "--home", str(stack.home))
    code, shown = await _run(tmp_path, "push", *where, "--dry-run")
    assert code == 0
    assert "+<p>Hello {{ name }}</p>" in shown
    code, shown = await _run(tmp_path, "diff", *where)
    assert code == 1
    assert "hello is new" in shown
    code, shown = await _run(tmp_path, "push", *where)
    assert code == 0
    assert "hello: published as version 1" in shown
    assert await _run(tmp_path, "push", *where) == (0, "0 changed, 0 faults\n")
    _write(folder, "hello/email.en.html", HELLO.replace("<p>Hello", "<p>Hi"))
    _, shown = await _run(tmp_path, "diff", *where)
    assert "-<p>Hello {{ name }}</p>\n+<p>Hi {{ name }}</p>" in shown


async def test_faults_end_with_an_exit_code(stack: Stack, tmp_path: Path, folder: Path) -> None:
    """What is faulty is told by file and line, for a script as well as for an editor."""
    _write(folder, "broken/template.yaml", "")
    _write(folder, "broken/email.en.txt", "---\nsubject: Hello\n---\nOne\n{% endif %}\n")
    _write(folder, "partials/foot.html", "<p>\n{{ }}\n")
    for words in (("lint",), ("push", "--home", str(stack.home))):
        code, shown = await _run(tmp_path, *words, "--folder", str(folder))
        assert code == 1
        assert "broken/email.en.txt:5: " in shown
        assert "partials/foot.html:2: " in shown


async def test_lint_warns(tmp_path: Path, folder: Path) -> None:
    """What works and is probably not meant is told, and is no fault."""
    _write(folder, "hello/template.yaml", f"{ABOUT}category: marketing\n")
    _write(folder, "hello/push.de.yaml", "title: Hallo\n")
    _write(folder, "hello/push.en.yaml", "title: Hello\n")
    code, shown = await _run(tmp_path, "lint", "--folder", str(folder))
    assert code == 0
    assert "missing_unsubscribe_link" in shown
    assert "hello/template.yaml: the email is missing in de" in shown


async def test_render_files(tmp_path: Path, folder: Path) -> None:
    """Files are rendered without a server, with the sample and with values given."""
    where = ("--file", "--folder", str(folder))
    code, shown = await _run(tmp_path, "render", "hello", *where, "--show", "html")
    assert code == 0
    assert "<p>Hello Ada</p>" in shown
    code, shown = await _run(tmp_path, "render", "hello", *where, "--var", "name=Bob", "--show", "subject")
    assert (code, shown.splitlines()[-1]) == (0, "Hello Bob")
    output = tmp_path / "output"
    await _run(tmp_path, "render", "hello", *where, "--output", str(output))
    assert sorted(path.name for path in output.iterdir()) == ["hello.en.html", "hello.en.txt"]


async def test_render_what_the_server_has(stack: Stack, tmp_path: Path) -> None:
    """A published template is rendered in the language asked for."""
    words = ("render", "welcome", "--locale", "pt-BR", "--var", "name=Bia", "--home", str(stack.home))
    code, shown = await _run(tmp_path, *words, "--show", "push")
    assert code == 0
    assert json.loads(shown)["title"] == "Boas-vindas, Bia"
    code, shown = await _run(tmp_path, *words, "--version", "99")
    assert code == 1
    assert "unknown_version" in shown


async def test_what_cannot_be(stack: Stack, tmp_path: Path, folder: Path) -> None:
    """A folder, a template or a server that is not there is named."""
    code, shown = await _run(tmp_path, "push", "--folder", str(tmp_path / "none"), "--home", str(stack.home))
    assert (code, "There is no folder" in shown) == (1, True)
    code, shown = await _run(tmp_path, "push", "nobody", "--folder", str(folder), "--home", str(stack.home))
    assert (code, "There is no template nobody" in shown) == (1, True)
    code, shown = await _run(tmp_path, "pull", "nobody", "--folder", str(folder), "--home", str(stack.home))
    assert (code, "published no template nobody" in shown) == (1, True)
    shutil.rmtree(folder)
    code, shown = await _run(tmp_path, "render", "welcome", "--draft", "--file")
    assert (code, "exclude one another" in shown) == (2, True)

"""A folder and a server are brought together, through the template service's own API."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.ports import free_port
from support.servers import PATIENCE, SERVICE_SECRET
from support.serving import serving
from tidings.cli.templates.comparing import Kind
from tidings.cli.templates.files import files_of
from tidings.cli.templates.folder import Folder
from tidings.cli.templates.pulling import Pull
from tidings.cli.templates.pushing import Push, Pushed
from tidings.cli.templates.server import read_server
from tidings.cli.templates.showing import Printer
from tidings.cli.templates.synced import Synced
from tidings.client.authoring import AuthoringClient
from tidings.client.http import ServiceHttp, open_session
from tidings.contracts.templates import (
    EmailContent,
    LocalContent,
    NewTemplate,
    PushContent,
    TemplateContent,
)
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

# What may stand in a template without a meaning of its own.
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{}<>&"), max_size=30)
SENTENCE = WORDS.map(lambda words: f"Hello {words}")
SERVER = "http://a.server"

_numbers = count()


@pytest.fixture(scope="module")
async def http(
    service_database: Callable[[str], Awaitable[str]], valkey_url: str, service_token: Callable[..., str]
) -> AsyncIterator[ServiceHttp]:
    """Calls to the template service."""
    wanted = TemplatesSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        database_url=await service_database("templates"),
        cache_url=valkey_url,
        database_seconds=PATIENCE,
    )
    async with open_app(wanted) as app, serving(app, free_port()) as url, open_session() as session:
        yield ServiceHttp(session, url, lambda: service_token("templates"), seconds=PATIENCE)


@pytest.fixture(scope="module")
def authoring(http: ServiceHttp) -> AuthoringClient:
    return AuthoringClient(http, prefix="")


@pytest.fixture
def template_id() -> str:
    """An id that no test used before."""
    return f"synced-{next(_numbers)}"


def _email(subject: str = "Hello", **fields: str) -> TemplateContent:
    email = EmailContent(subject=subject, **{"text": "Text", **fields})
    return TemplateContent(content={"en": LocalContent(email=email)})


def _write(folder: Path, template_id: str, content: TemplateContent) -> None:
    for name, text in files_of(content).items():
        Folder(folder).write(f"{template_id}/{name}", text)


async def _pushing(authoring: AuthoringClient, folder: Path, *ids: str, force: bool = False) -> Push:
    contents = Folder(folder).read(ids)
    server = await read_server(authoring, contents.files, lambda: None)
    return Push(
        authoring=authoring,
        contents=contents,
        server=server,
        synced=Synced(folder, SERVER),
        printer=Printer(),
        force=force,
    )


async def _push(authoring: AuthoringClient, folder: Path, *ids: str, force: bool = False) -> Pushed:
    push = await _pushing(authoring, folder, *ids, force=force)
    return await push.run(push.plan())


async def _pull(authoring: AuthoringClient, folder: Path, *ids: str) -> list[str]:
    server = await read_server(authoring, ids, lambda: None)
    return list(Pull(Folder(folder), Synced(folder, SERVER)).run(server))


def _texts(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


CONTENT = st.builds(
    lambda subject, preheader, text, title, sample: TemplateContent(
        content={
            "en": LocalContent(
                email=EmailContent(subject=subject, preheader=preheader, text=text, html=f"<p>{text}</p>\n"),
                push=PushContent(title=title, data={"a": text}),
            )
        },
        sample=sample,
    ),
    SENTENCE,
    st.none() | SENTENCE,
    SENTENCE,
    SENTENCE,
    st.dictionaries(WORDS, WORDS, max_size=2),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT)
async def test_round_trip(authoring: AuthoringClient, content: TemplateContent) -> None:
    """What is pushed comes back byte for byte, and what was pulled changes nothing when it is pushed."""
    template_id = f"round-{next(_numbers)}"
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        _write(Path(first), template_id, content)
        pushed = await _push(authoring, Path(first))
        assert (pushed.done, pushed.faults) == (1, [])
        await _pull(authoring, Path(second), template_id)
        assert _texts(Path(second)) == _texts(Path(first))
        assert (await _pushing(authoring, Path(second), template_id)).plan() == []


async def test_pull_keeps_what_says_the_same(
    authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """A file with comments and a layout of its own stays as it is when the server says the same."""
    _write(tmp_path, template_id, _email())
    about = tmp_path / template_id / "template.yaml"
    about.write_text("# ours\ncategory:   transactional\n")
    await _push(authoring, tmp_path)
    before = _texts(tmp_path)
    assert await _pull(authoring, tmp_path, template_id) == []
    assert _texts(tmp_path) == before


async def test_pull_removes_what_the_server_no_longer_has(
    authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """A language that was dropped on the server is dropped here."""
    await authoring.create(NewTemplate(id=template_id, content=_email().content))
    _write(tmp_path, template_id, _email())
    Folder(tmp_path).write(f"{template_id}/push.de.yaml", "title: Hallo\n")
    assert await _pull(authoring, tmp_path, template_id) == [f"removed  {template_id}/push.de.yaml"]


async def test_lost_update_is_refused(authoring: AuthoringClient, template_id: str, tmp_path: Path) -> None:
    """What somebody else published since is not overwritten, unless that is asked for."""
    _write(tmp_path, template_id, _email("Ours 1"))
    await _push(authoring, tmp_path)
    await authoring.publish(template_id, _email("Theirs"))
    _write(tmp_path, template_id, _email("Ours 2"))
    (fault,) = (await _push(authoring, tmp_path)).faults
    assert "tidings templates pull" in fault.message
    stored = await authoring.template(template_id)
    assert stored is not None
    assert stored.value.version == 2
    assert (await _push(authoring, tmp_path, force=True)).faults == []
    stored = await authoring.template(template_id)
    assert stored is not None
    assert stored.value.version == 3


async def test_change_during_a_push_is_refused(
    authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """A folder that knows nothing of the server overwrites nothing that came after it looked."""
    await authoring.create(NewTemplate(id=template_id, content=_email().content))
    _write(tmp_path, template_id, _email("Ours"))
    push = await _pushing(authoring, tmp_path)
    plan = push.plan()
    await authoring.publish(template_id, _email("Theirs"))
    (fault,) = (await push.run(plan)).faults
    assert "tidings templates pull" in fault.message


async def test_partial_republishes_its_templates(
    authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """A changed partial reaches the templates that use it, and pushing again changes nothing."""
    name = f"{template_id}-foot"
    _write(tmp_path, template_id, _email(html=f'<p>Hello</p>{{% include "{name}" %}}'))
    Folder(tmp_path).write(f"partials/{name}.html", "<p>One</p>")
    assert (await _push(authoring, tmp_path)).faults == []
    Folder(tmp_path).write(f"partials/{name}.html", "<p>Two</p>")
    push = await _pushing(authoring, tmp_path)
    plan = push.plan()
    assert [change.kind for change in plan] == [Kind.CHANGED, Kind.OUTDATED]
    assert (await push.run(plan)).faults == []
    compiled = await authoring.compiled(template_id)
    assert compiled is not None
    assert compiled.partials[name] == "<p>Two</p>"
    assert (await _pushing(authoring, tmp_path)).plan() == []


async def test_faulty_template_does_not_stop_the_others(
    authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """Each fault that the server finds has its file and line, and what is right is published."""
    _write(tmp_path, f"{template_id}-a", _email(html="<p>\n{% if %}</p>"))
    _write(tmp_path, f"{template_id}-b", _email())
    pushed = await _push(authoring, tmp_path)
    assert [(fault.path, fault.line) for fault in pushed.faults] == [(f"{template_id}-a/email.en.html", 5)]
    assert pushed.done == 1


async def test_draft_without_a_version_is_published_over(
    http: ServiceHttp, authoring: AuthoringClient, template_id: str, tmp_path: Path
) -> None:
    """A template that is only a draft on the server is published from the folder."""
    draft = NewTemplate(id=template_id, content=_email("Draft").content)
    await http.call("POST", "/templates", params={"draft": "true"}, body=draft)
    _write(tmp_path, template_id, _email("Ready"))
    assert (await _push(authoring, tmp_path)).faults == []
    stored = await authoring.template(template_id)
    assert stored is not None
    assert (stored.value.version, stored.value.state) == (1, "published")

"""Reading templates: kept where they cannot change, fresh where they can."""

import asyncio
from time import monotonic

import pytest

from client.remote import Remote, Reply, problem
from support.polling import eventually
from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.client.templates import TemplatesClient
from tidings.contracts.templates import CompiledTemplate

DOWN = problem(503, "database_unavailable")
NOT_MODIFIED = Reply(b"", 304)


def template(version: int, *, archived: bool = False) -> Reply:
    return Reply(
        {
            "id": "welcome",
            "version": version,
            "archived": archived,
            "default_locale": "en",
            "category": "transactional",
            "forms": {"en": {"push": {"title": "Hello {{ name }}"}}},
            "variables": {"push": ["name"]},
        },
        headers={"ETag": f'"{version}"'},
    )


@pytest.fixture
def templates(http: ServiceHttp) -> TemplatesClient:
    return TemplatesClient(http)


def version_of(found: CompiledTemplate | None) -> int:
    assert found is not None
    return found.version


async def test_a_version_is_read_once(templates: TemplatesClient, remote: Remote) -> None:
    """A version never changes, so it is kept, however it was come by."""
    remote.replies(template(3))
    assert [version_of(await templates.version("welcome", 3)) for _ in range(3)] == [3, 3, 3]
    remote.replies(template(4))
    await templates.newest("welcome")
    assert version_of(await templates.version("welcome", 4)) == 4
    assert [(asked.path, asked.query) for asked in remote.asked] == [
        ("/templates/welcome/compiled", {"version": "3"}),
        ("/templates/welcome/compiled", {}),
    ]


async def test_the_newest_is_asked_for_once_a_second_at_most(
    templates: TemplatesClient, remote: Remote
) -> None:
    """A new version is seen about a second later, at the cost of one request a second."""
    remote.replies(template(1))
    started = monotonic()
    for _ in range(100):
        assert version_of(await templates.newest("welcome")) == 1
    assert len(remote.asked) <= 1 + (monotonic() - started)
    remote.replies(template(2))

    async def new_version_is_seen() -> bool:
        return version_of(await templates.newest("welcome")) == 2

    await eventually(new_version_is_seen)


async def test_who_wants_to_be_sure_is_not_served_from_memory(
    templates: TemplatesClient, remote: Remote
) -> None:
    """Asked surely, the newest version is read now; when the service is down, that is an error."""
    remote.replies(template(1))
    await templates.newest("welcome")
    remote.replies(template(2))
    assert version_of(await templates.newest("welcome", surely=True)) == 2
    remote.replies(DOWN)
    with pytest.raises(RemoteUnavailable):
        await templates.newest("welcome", surely=True)
    assert version_of(await templates.newest("welcome")) == 2


async def test_an_unchanged_newest_version_is_not_read_again(
    templates: TemplatesClient, remote: Remote
) -> None:
    """The next look names the tag of the last one, and 304 means that nothing is new."""
    remote.replies(template(1), NOT_MODIFIED)
    first = await templates.newest("welcome")

    async def asked_again() -> bool:
        assert await templates.newest("welcome") is first
        return len(remote.asked) > 1

    await eventually(asked_again)
    tags = [asked.headers.get("if-none-match") for asked in remote.asked]
    assert tags[:2] == [None, '"1"']


async def test_an_archived_template_says_so(templates: TemplatesClient, remote: Remote) -> None:
    """The newest version of an archived template is answered, for the caller to decide."""
    remote.replies(template(1, archived=True))
    newest = await templates.newest("welcome")
    assert newest is not None
    assert newest.archived


async def test_a_burst_asks_once(templates: TemplatesClient, remote: Remote) -> None:
    """Callers that miss at the same time wait for one answer, also when one of them goes away."""
    remote.replies(Reply(template(1).body, seconds=0.1))
    callers = [asyncio.create_task(templates.newest("welcome")) for _ in range(20)]
    await eventually(lambda: bool(remote.asked))
    callers[0].cancel()
    assert {version_of(await caller) for caller in callers[1:]} == {1}
    assert len(remote.asked) == 1


async def test_the_last_version_seen_serves_during_an_outage(
    templates: TemplatesClient, remote: Remote
) -> None:
    """While the service is down the newest version is the last one seen; what was never seen is an error."""
    remote.replies(template(1))
    await templates.newest("welcome")
    remote.replies(DOWN)

    async def asked_in_vain() -> bool:
        assert version_of(await templates.newest("welcome")) == 1
        return len(remote.asked) > 1

    await eventually(asked_in_vain)
    with pytest.raises(RemoteUnavailable):
        await templates.newest("other")
    with pytest.raises(RemoteUnavailable):
        await templates.version("welcome", 7)


async def test_what_does_not_exist_is_none(templates: TemplatesClient, remote: Remote) -> None:
    """An unknown template or version is an answer, and asked for again next time: it may come to be."""
    remote.replies(problem(404, "unknown_template"))
    assert await templates.newest("welcome") is None
    remote.replies(problem(404, "unknown_version"))
    assert await templates.version("welcome", 9) is None
    remote.replies(template(9))
    assert version_of(await templates.version("welcome", 9)) == 9


@pytest.mark.parametrize("name", ["", "..", "../health/live", "a/b", "a?version=1", "Ünïcode", "a" * 101])
async def test_what_cannot_be_a_name_is_not_asked_for(
    templates: TemplatesClient, remote: Remote, name: str
) -> None:
    """A caller's template id never becomes another path at the template service."""
    assert await templates.newest(name) is None
    assert await templates.version(name, 1) is None
    assert remote.asked == []


async def test_a_refusal_of_another_kind_is_an_error(templates: TemplatesClient, remote: Remote) -> None:
    """A missing scope does not mean that the template does not exist."""
    remote.replies(problem(403, "missing_scope"))
    with pytest.raises(RemoteProblem):
        await templates.newest("welcome")

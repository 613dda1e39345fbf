"""API keys shown to a service that has to ask the gateway about them."""

import pytest

from client.remote import Remote, Reply, problem
from tidings.client.http import ServiceHttp
from tidings.client.keys import CredentialChecks, RemoteKeys, open_credential_checks
from tidings.kit.errors import Unavailable

OWNER = Reply({"owner": "shop", "scopes": ["users:read"]})


@pytest.fixture
def keys(http: ServiceHttp) -> RemoteKeys:
    return RemoteKeys(http)


async def test_a_known_key_is_remembered(keys: RemoteKeys, remote: Remote) -> None:
    """The owner and the scopes are asked for once, and outlast a gateway that goes down."""
    remote.replies(OWNER, problem(503, "database_unavailable"))
    for _ in range(3):
        principal = await keys.check("tdg_live_1")
        assert principal is not None
        assert (principal.owner, principal.kind) == ("shop", "api_key")
        assert principal.may("users:read")
        assert not principal.may("users:write")
    assert [asked.body for asked in remote.asked] == [{"key": "tdg_live_1"}]


async def test_an_unknown_key_is_asked_about_again(keys: RemoteKeys, remote: Remote) -> None:
    """A key that is made a moment later works at once."""
    remote.replies(problem(404, "unknown_api_key"), problem(422, "invalid_request"), OWNER)
    assert await keys.check("tdg_live_1") is None
    assert await keys.check("tdg_live_1") is None
    assert await keys.check("tdg_live_1") is not None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (problem(503, "database_unavailable"), "does not answer"),
        (Reply(b"<html>"), "does not answer"),
        (problem(401, "unauthenticated"), "TIDINGS_SERVICE_SECRET"),
    ],
)
async def test_a_key_that_cannot_be_checked_is_not_called_unknown(
    keys: RemoteKeys, remote: Remote, reply: Reply, words: str
) -> None:
    """When the gateway is down, or refuses the service itself, the caller may try again."""
    remote.replies(reply)
    with pytest.raises(Unavailable, match=words):
        await keys.check("tdg_live_1")


async def test_without_a_gateway_no_keys_are_checked() -> None:
    """A service that is told no gateway takes service tokens only."""
    async with open_credential_checks(None, lambda: "") as checks:
        assert checks == CredentialChecks()

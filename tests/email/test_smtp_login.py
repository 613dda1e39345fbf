"""How the SMTP provider logs in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar, Request, Response, post

from simulator.running import Simulator
from support.ports import free_port
from support.serving import serving
from support.smtp_desk import (
    PASSWORD,
    USERNAME,
    config_at,
    config_for,
    desk,
    inbox,
    misbehave,
    provider_of,
    rude_server,
)
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken
from tidings.email.providers.configs import SmtpConfig

REFRESH = {
    "grant_type": "refresh_token",
    "refresh_token": "simulator-refresh-token",
    "client_id": "simulator-client",
    "client_secret": "simulator-client-secret",
}


def with_oauth(simulator: Simulator, **changed: Any) -> SmtpConfig:  # noqa: ANN401 - fields of the config
    """XOAUTH2 as the simulator takes it."""
    oauth = {
        "username": USERNAME,
        "auth": "xoauth2",
        "oauth_token_url": f"{simulator.http.base_url}/oauth/smtp-token",
        "oauth_client_id": REFRESH["client_id"],
        "oauth_client_secret": REFRESH["client_secret"],
        "oauth_refresh_token": REFRESH["refresh_token"],
    }
    return config_for(simulator, **{**oauth, **changed})


class TokenEndpoint:
    """A token endpoint that can be watched, and told what to answer."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, Any]] = []
        self.status = 200
        self.body: dict[str, Any] = {"access_token": "simulator-token", "expires_in": 3600}


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    endpoint = TokenEndpoint()

    @post("/token", status_code=200)
    async def exchange(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        endpoint.forms.append(dict(await request.form()))
        return Response(endpoint.body, status_code=endpoint.status)

    async with serving(Litestar([exchange], openapi_config=None), free_port()) as url:
        endpoint.url = f"{url}/token"
        yield endpoint


@pytest.mark.parametrize("auth", [None, "plain", "login"])
async def test_a_password(simulator: Simulator, auth: str | None) -> None:
    """PLAIN and LOGIN let us in; without a name for it, the server's offer decides."""
    async with desk(config_for(simulator, username=USERNAME, password=PASSWORD, auth=auth)) as sending:
        assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == 1


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_a_wrong_password(simulator: Simulator, auth: str) -> None:
    """A refused login is ours to mend: nothing is claimed, and the password is in no words."""
    config = config_for(simulator, username=USERNAME, password="wrong-secret", auth=auth)
    async with desk(config) as sending:
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
    assert refused.detail.startswith("535 5.7.8")
    assert "wrong-secret" not in refused.detail


async def test_a_login_that_fails_for_now(simulator: Simulator) -> None:
    """A server that cannot check logins at the moment is an outage."""
    await misbehave(simulator, {"stage": "auth", "smtp_code": 454, "text": "4.7.0 Try later"})
    async with desk(config_for(simulator, username=USERNAME, password=PASSWORD)) as sending:
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE


@pytest.mark.parametrize("offer", [b"250 AUTH CRAM-MD5", b"250 SIZE 1000000"], ids=["another", "none"])
async def test_a_login_that_is_not_offered(offer: bytes) -> None:
    """A server that does not offer the login we have is named with what it offers."""
    config: dict[str, Any] = {"username": USERNAME, "password": PASSWORD}
    async with (
        rude_server(b"220 hi", b"250-hi\r\n" + offer) as port,
        desk(config_at(port, **config)) as sending,
    ):
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
    assert "PLAIN or LOGIN is needed" in refused.detail


async def test_an_access_token(simulator: Simulator) -> None:
    """XOAUTH2 exchanges the refresh token, and logs in with what it gets."""
    async with desk(with_oauth(simulator)) as sending:
        assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"oauth_refresh_token": "revoked"}, "invalid_grant"),
        ({"oauth_client_secret": "wrong"}, "invalid_client"),
        ({"oauth_client_secret": None}, "invalid_client"),
        ({"username": "somebody-else"}, "535 5.7.8"),
    ],
)
async def test_an_access_token_refused(simulator: Simulator, changed: dict[str, Any], words: str) -> None:
    """Whoever refuses, the endpoint or the mail server: the operator is told in its words."""
    async with desk(with_oauth(simulator, **changed)) as sending:
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
    assert words in refused.detail


async def test_an_access_token_is_kept(simulator: Simulator, endpoint: TokenEndpoint) -> None:
    """Connections that open at once, and later ones, share one exchange."""
    async with provider_of(with_oauth(simulator, oauth_token_url=endpoint.url)) as provider:
        await asyncio.gather(*(provider.ping() for _ in range(3)))
        await provider.close()
        await provider.ping()
    assert endpoint.forms == [REFRESH]


async def test_a_refused_access_token_is_not_used_again(
    simulator: Simulator, endpoint: TokenEndpoint
) -> None:
    """A token that the server refuses before its end is replaced at the next attempt."""
    async with desk(with_oauth(simulator, oauth_token_url=endpoint.url)) as sending:
        endpoint.body = {"access_token": "revoked", "expires_in": 3600}
        assert (await sending.refused()).owner is ErrorOwner.CREDENTIAL
        endpoint.body = {"access_token": "simulator-token", "expires_in": 3600}
        assert isinstance(await sending.send(), Taken)
    assert len(endpoint.forms) == 2


async def test_an_access_token_is_renewed(simulator: Simulator, endpoint: TokenEndpoint) -> None:
    """A token that has ended is exchanged again before the next connection."""
    endpoint.body = {"access_token": "simulator-token", "expires_in": 0}
    config = with_oauth(simulator, oauth_token_url=endpoint.url, connections=1)
    async with desk(config) as sending:
        assert isinstance(await sending.send(), Taken)
        await misbehave(simulator, {"stage": "mail", "smtp_code": 421, "times": 1})
        assert isinstance(await sending.send(), Taken)
    assert len(endpoint.forms) == 2


@pytest.mark.parametrize(
    ("status", "body", "owner"),
    [
        (503, {"error": "backend_error"}, ErrorOwner.OUTAGE),
        (429, {"error": "rate_limited"}, ErrorOwner.OUTAGE),
        (400, {"error": "invalid_grant"}, ErrorOwner.CREDENTIAL),
        (200, {"no": "token"}, ErrorOwner.CREDENTIAL),
    ],
)
async def test_an_endpoint_that_gives_no_token(
    simulator: Simulator, endpoint: TokenEndpoint, status: int, body: dict[str, Any], owner: ErrorOwner
) -> None:
    """An endpoint that is down is an outage; one that says no needs the operator."""
    endpoint.status, endpoint.body = status, body
    async with desk(with_oauth(simulator, oauth_token_url=endpoint.url)) as sending:
        refused = await sending.refused()
    assert refused.owner is owner
    assert endpoint.url in refused.detail


async def test_no_endpoint(simulator: Simulator) -> None:
    """An endpoint where nobody listens is an outage."""
    url = f"http://127.0.0.1:{free_port()}/token"
    async with desk(with_oauth(simulator, oauth_token_url=url)) as sending:
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE

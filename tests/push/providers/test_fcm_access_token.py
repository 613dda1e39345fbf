"""Google's access tokens: renewed ahead of time, while the token endpoint is down, and by its clock."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import jwt
import msgspec
import pytest
from aiohttp import web

from push.answers import serving
from push.ways import Outside
from tidings.client.http import open_session
from tidings.kit.ids import now
from tidings.push.providers.fcm.access_token import RENEW_AHEAD, AccessTokens, CredentialProblem

TOLERANCE = timedelta(minutes=5)


class TokenEndpoint:
    """A token endpoint with a clock of its own, and tokens that live as long as a test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.lifetime = timedelta(hours=1)
        self.status = 200
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        moment = now() + self.ahead
        dated = {"Date": format_datetime(moment, usegmt=True)}
        if self.status != 200:
            return web.Response(status=self.status, headers=dated)
        form = await request.post()
        claims = jwt.decode(str(form["assertion"]), options={"verify_signature": False})
        if abs(claims["iat"] - moment.timestamp()) > TOLERANCE.total_seconds():
            refusal = {"error": "invalid_grant", "error_description": "Invalid JWT"}
            return web.json_response(refusal, status=400, headers=dated)
        answer = {"access_token": f"token-{self.asked}", "expires_in": int(self.lifetime.total_seconds())}
        return web.json_response(answer, headers=dated)


@pytest.fixture
def endpoint() -> TokenEndpoint:
    return TokenEndpoint()


@pytest.fixture
async def tokens(endpoint: TokenEndpoint, outside: Outside, tmp_path: Path) -> AsyncIterator[AccessTokens]:
    """Access tokens from that endpoint."""
    async with serving(endpoint.answer) as url, open_session() as session:
        account = msgspec.json.decode(outside.simulator.account_file.read_bytes())
        file = tmp_path / "account.json"
        file.write_bytes(msgspec.json.encode({**account, "token_uri": url}))
        yield AccessTokens(file, session)


async def test_a_token_is_kept(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """One token serves every send until shortly before its end."""
    assert [await tokens.token() for _ in range(3)] == ["token-1"] * 3
    assert endpoint.asked == 1


async def test_many_ask_at_once(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """Sends that need a token at the same time share one request, and its failure."""
    endpoint.status = 503
    failed = await asyncio.gather(*(tokens.token() for _ in range(20)), return_exceptions=True)
    assert [isinstance(each, aiohttp.ClientError) for each in failed] == [True] * 20
    endpoint.status = 200
    assert await asyncio.gather(*(tokens.token() for _ in range(20))) == ["token-2"] * 20
    assert endpoint.asked == 2


async def test_one_that_gives_up_waiting(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """A send that is cancelled while it waits for a token takes it from no other."""
    impatient, patient = (asyncio.create_task(tokens.token()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == "token-1"
    assert endpoint.asked == 1


async def test_a_token_is_renewed_ahead(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """In its last five minutes a token is replaced, though it would still be taken."""
    endpoint.lifetime = RENEW_AHEAD
    assert [await tokens.token() for _ in range(2)] == ["token-1", "token-2"]


async def test_a_token_outlives_its_endpoint(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """While the endpoint is down the old token goes on, as long as it holds."""
    endpoint.lifetime = RENEW_AHEAD
    await tokens.token()
    endpoint.status = 503
    assert [await tokens.token() for _ in range(3)] == ["token-1"] * 3
    assert endpoint.asked == 2  # and the endpoint is not asked for each send


async def test_a_token_that_ended(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """A token that has ended, or was refused, is of no use without the endpoint."""
    endpoint.lifetime = timedelta()
    await tokens.token()
    endpoint.status = 503
    with pytest.raises(aiohttp.ClientError):
        await tokens.token()


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)], ids=str)
async def test_a_clock_that_is_wrong(tokens: AccessTokens, endpoint: TokenEndpoint, ahead: timedelta) -> None:
    """Where our clock and Google's differ by ten minutes, we sign by Google's, and remember it."""
    endpoint.ahead = ahead
    assert await tokens.token() == "token-2"
    tokens.forget("token-2")
    assert await tokens.token() == "token-3"


async def test_a_refusal_that_is_no_matter_of_time(tokens: AccessTokens, endpoint: TokenEndpoint) -> None:
    """A key that is refused while the clocks agree is asked for once, and is the operator's affair."""
    endpoint.status = 401
    with pytest.raises(CredentialProblem, match="401"):
        await tokens.token()
    assert endpoint.asked == 1

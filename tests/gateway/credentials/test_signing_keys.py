"""The keys that sign access tokens, shared by gateways that come and go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import httpx
import jwt
import pytest

from gateway.conftest import API_KEY, OpenGateway
from gateway.credentials.conftest import bearer
from tidings.kit.ids import now

JWKS = "/.well-known/jwks.json"


@pytest.fixture
async def fresh_admin(postgres_admin_url: str, fresh_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The superuser in the schema of the fresh database."""
    url = httpx.URL(postgres_admin_url).copy_with(path=httpx.URL(fresh_url).path)
    connection = await asyncpg.connect(str(url), server_settings={"search_path": "gateway"})
    yield connection
    await connection.close()


async def token_of(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/tokens", json={}, headers=bearer(API_KEY))).json()["access_token"])


async def published(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get(JWKS, headers={"Authorization": ""})
    assert answer.status_code == 200
    return [key["kid"] for key in answer.json()["keys"]]


def signed_with(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def works(client: httpx.AsyncClient, token: str) -> bool:
    return (await client.get("/v1/notifications", headers=bearer(token))).status_code == 200


async def test_anyone_can_check_a_token(fresh: httpx.AsyncClient) -> None:
    """The published set is a JSON Web Key Set that other software reads, and holds nothing private."""
    token = await token_of(fresh)
    found = jwt.PyJWKSet.from_dict((await fresh.get(JWKS)).json())[signed_with(token)]
    claims = jwt.decode(token, found, algorithms=["EdDSA"], audience="tidings", issuer="tidings/gateway")
    assert claims["scope"] == "*"
    assert set((await fresh.get(JWKS)).json()["keys"][0]) == {"kid", "x", "kty", "crv", "alg", "use"}


async def test_a_rotation_keeps_old_tokens_good(fresh: httpx.AsyncClient) -> None:
    """After a rotation new tokens have the new key, and those signed before are still taken."""
    old = await token_of(fresh)
    new_id = (await fresh.post("/v1/tokens/rotate-keys")).json()["kid"]
    new = await token_of(fresh)
    assert signed_with(new) == new_id != signed_with(old)
    assert await published(fresh) == [new_id, signed_with(old)]
    assert await works(fresh, old)
    assert await works(fresh, new)


async def test_a_key_is_withdrawn_once_its_tokens_are_dead(
    fresh: httpx.AsyncClient, fresh_admin: asyncpg.Connection
) -> None:
    """A key retired for longer than a token can live is not published, and the next rotation deletes it."""
    old = await token_of(fresh)
    await fresh.post("/v1/tokens/rotate-keys")
    await fresh_admin.execute(
        "update signing_keys set retired_at = $1 where retired_at is not null", now() - timedelta(minutes=63)
    )
    assert signed_with(old) not in await published(fresh)
    await fresh.post("/v1/tokens/rotate-keys")
    kept = await fresh_admin.fetch("select id from signing_keys")
    assert len(kept) == 2
    assert signed_with(old) not in {row["id"] for row in kept}


async def test_a_key_is_replaced_after_thirty_days(
    open_gateway: OpenGateway, fresh_url: str, fresh_admin: asyncpg.Connection
) -> None:
    """A gateway that finds an old key makes the next one before it signs."""
    async with open_gateway(database_url=fresh_url) as gateway:
        old = await token_of(gateway)
    for age, same in ((timedelta(days=29), True), (timedelta(days=31), False)):
        await fresh_admin.execute("update signing_keys set created_at = $1", now() - age)
        async with open_gateway(database_url=fresh_url) as gateway:
            assert (signed_with(await token_of(gateway)) == signed_with(old)) is same
            assert await works(gateway, old)


async def test_gateways_that_start_together_agree(open_gateway: OpenGateway, fresh_url: str) -> None:
    """Of two first keys made at the same time one is used by both."""
    async with (
        open_gateway(database_url=fresh_url) as one,
        open_gateway(database_url=fresh_url) as two,
    ):
        tokens = await asyncio.gather(*(token_of(client) for client in (one, two) * 3))
        assert {signed_with(token) for token in tokens} == set(await published(one))
        assert len(await published(two)) == 1
        rotations = await asyncio.gather(
            *(client.post("/v1/tokens/rotate-keys") for client in (one, two) * 3)
        )
        assert {answer.status_code for answer in rotations} == {200}
        assert await works(one, tokens[0])
        assert await works(two, await token_of(one))


async def test_private_keys_are_not_in_the_table(
    fresh: httpx.AsyncClient, fresh_admin: asyncpg.Connection, open_gateway: OpenGateway, fresh_url: str
) -> None:
    """Only who knows the service secret can sign; with another secret a gateway makes a key of its own."""
    old = await token_of(fresh)
    async with open_gateway(
        database_url=fresh_url, service_secret="another secret, of as many characters"
    ) as changed:
        new = await token_of(changed)
        assert signed_with(new) != signed_with(old)
        assert await works(changed, old)
    private = await fresh_admin.fetchval("select sealed_private_key from signing_keys limit 1")
    assert len(private) == 12 + 32 + 16

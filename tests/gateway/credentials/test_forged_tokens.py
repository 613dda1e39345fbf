"""Access tokens that somebody made up, changed, or kept too long."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.conftest import API_KEY
from gateway.credentials.conftest import NewToken, bearer, told
from support.servers import SERVICE_SECRET
from tidings.gateway.credentials.sealing import unseal
from tidings.kit.ids import new_id, now


@dataclass(frozen=True)
class Mint:
    """A real signing key in the wrong hands: what only the checks of claims can stop."""

    key_id: str
    key: Ed25519PrivateKey
    owner: str

    def token(self, header: dict[str, Any] | None = None, **claims: object) -> str:
        """A valid token, changed as named; None leaves a claim out."""
        valid = {
            "iss": "tidings/gateway",
            "aud": "tidings",
            "sub": self.owner,
            "scope": "notifications:read",
            "iat": now(),
            "exp": now() + timedelta(minutes=1),
            "jti": str(new_id()),
        }
        changed = {name: value for name, value in (valid | claims).items() if value is not None}
        named = {"kid": self.key_id, "typ": "at+jwt", **(header or {})}
        headers = {name: value for name, value in named.items() if value is not None}
        return jwt.encode(changed, self.key, algorithm="EdDSA", headers=headers)

    @property
    def public_texts(self) -> list[bytes]:
        """The public key in each form that a forger may take for a shared secret."""
        public = self.key.public_key()
        return [
            public.public_bytes_raw(),
            base64.urlsafe_b64encode(public.public_bytes_raw()).rstrip(b"="),
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ]


@pytest.fixture
async def mint(admin: asyncpg.Connection, new_token: NewToken) -> Mint:
    """The key in use, read as only one with the database and the service secret can."""
    claims = jwt.decode(await new_token(API_KEY), options={"verify_signature": False})
    row = await admin.fetchrow("select * from signing_keys where retired_at is null")
    assert row is not None
    key = Ed25519PrivateKey.from_private_bytes(unseal(SERVICE_SECRET, row["id"], row["sealed_private_key"]))
    return Mint(row["id"], key, claims["sub"])


def unsigned(token: str, algorithm: str) -> str:
    """The token without a signature, and with a header that says that there is none."""
    header, claims, _ = token.split(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "==")) | {"alg": algorithm}
    changed = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    return f"{changed}.{claims}."


async def ask(gateway: httpx.AsyncClient, token: str) -> httpx.Response:
    return await gateway.get("/v1/notifications", headers=bearer(token))


async def test_the_mint_works(gateway: httpx.AsyncClient, mint: Mint) -> None:
    """Unchanged, its tokens are taken: the refusals below have no other cause than what they name."""
    assert (await ask(gateway, mint.token())).status_code == 200


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": now() - timedelta(minutes=1)}, "expired_token"),
        ({"aud": "users"}, "invalid_token"),
        ({"iss": "elsewhere"}, "invalid_token"),
        ({"iat": now() + timedelta(days=1)}, "invalid_token"),
        ({"sub": "01990c3e-8a10-7b2f-9c64-2d1e0f3a4b5c"}, "invalid_token"),
        *(({name: None}, "invalid_token") for name in ("iss", "aud", "sub", "iat", "exp", "jti", "scope")),
    ],
)
async def test_a_claim_that_is_wrong(
    gateway: httpx.AsyncClient, mint: Mint, claims: dict[str, Any], code: str
) -> None:
    """Signed or not: expired, for others, from others, from the future or incomplete is refused."""
    assert told(await ask(gateway, mint.token(**claims))) == (401, code)


@pytest.mark.parametrize("key_id", ["unknown", "", "../../etc/passwd", None])
async def test_a_key_that_is_not_there(gateway: httpx.AsyncClient, mint: Mint, key_id: str | None) -> None:
    """A token that names no key of ours is refused, whatever stands in the name's place."""
    assert told(await ask(gateway, mint.token({"kid": key_id}))) == (401, "invalid_token")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "EdDSA"])
async def test_a_token_without_a_signature(gateway: httpx.AsyncClient, mint: Mint, algorithm: str) -> None:
    """No name of an algorithm makes up for the signature."""
    assert told(await ask(gateway, unsigned(mint.token(), algorithm))) == (401, "invalid_token")


@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
async def test_a_public_key_is_no_shared_secret(gateway: httpx.AsyncClient, mint: Mint, typ: str) -> None:
    """What is signed with HS256 and the public key, which anyone may read, is refused in any disguise."""
    claims = jwt.decode(mint.token(), options={"verify_signature": False})
    for audience in ("tidings", "gateway"):
        for secret in mint.public_texts:
            header = {"kid": mint.key_id, "typ": typ}
            forged = hmac_token(claims | {"aud": audience}, secret, header)
            assert (await ask(gateway, forged)).status_code == 401


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}])
async def test_other_keys_and_algorithms(
    gateway: httpx.AsyncClient, mint: Mint, header: dict[str, str]
) -> None:
    """A key of the forger's own, of our kind or another, proves nothing, with any type in the header."""
    claims = jwt.decode(mint.token(), options={"verify_signature": False})
    headers = {"kid": mint.key_id, "typ": "at+jwt", **header}
    forged = [
        jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=headers),
        jwt.encode(claims, generate_private_key(SECP256R1()), algorithm="ES256", headers=headers),
        jwt.encode(claims, SERVICE_SECRET + "!", algorithm="HS256", headers=headers),
        mint.token({"typ": "JWT"}),
    ]
    for token in forged:
        assert (await ask(gateway, token)).status_code == 401


async def test_a_service_token_is_no_access_token(
    gateway: httpx.AsyncClient, mint: Mint, service_token: Callable[..., str]
) -> None:
    """A service token that says it is an access token is refused; as what it is, it is taken."""
    claims = jwt.decode(service_token("gateway"), options={"verify_signature": False})
    headers = {"kid": mint.key_id, "typ": "at+jwt"}
    disguised = jwt.encode(claims, SERVICE_SECRET, algorithm="HS256", headers=headers)
    assert told(await ask(gateway, disguised)) == (401, "invalid_token")
    assert (await ask(gateway, service_token("gateway"))).status_code == 200


async def test_a_token_changed_anywhere(gateway: httpx.AsyncClient, mint: Mint) -> None:
    """One character of a token replaced by another makes it worthless."""
    token = mint.token()
    for position in range(0, len(token) - 1, 7):
        other = "A" if token[position] != "A" else "B"
        changed = token[:position] + other + token[position + 1 :]
        assert (await ask(gateway, changed)).status_code == 401, position


@pytest.mark.parametrize("end", [-1, -2, -86])
async def test_a_token_that_was_cut_off(gateway: httpx.AsyncClient, mint: Mint, end: int) -> None:
    """What is left of an access token is refused as one, and not as the token of a service."""
    assert told(await ask(gateway, mint.token()[:end])) == (401, "invalid_token")


def hmac_token(claims: dict[str, Any], secret: bytes, header: dict[str, str]) -> str:
    """A token signed with HS256, without the library's own guard against doing this."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", **header}, claims)]
    content = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, content, "sha256")).rstrip(b"=")
    return (content + b"." + signature).decode()

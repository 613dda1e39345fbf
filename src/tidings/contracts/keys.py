"""API keys and access tokens: what callers ask and hear, and what services say of them to each other."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import Incoming, Outgoing
from tidings.contracts.scopes import Role, Scope

MAX_TOKEN_SECONDS = 3_600
MAX_OVERLAP_SECONDS = 7 * 24 * 3_600

Mode = Literal["live", "test"]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=50)]


class KeyCheck(Incoming, frozen=True, kw_only=True):
    """An API key that a caller showed to another service."""

    key: Annotated[str, Meta(max_length=200)]


class KeyOwner(Outgoing, frozen=True, kw_only=True):
    """Whose key it is, what it may do, and whether it is a test key."""

    owner: str
    scopes: list[str]
    sandbox: bool = False


class NewApiKey(Incoming, frozen=True, kw_only=True):
    """A key to be made: either `scopes` or a `role`. Test keys reach no real provider."""

    name: Annotated[
        str, Meta(min_length=1, max_length=100, description="who or what will use it", examples=["billing"])
    ]
    scopes: Scopes | None = None
    role: Role | None = None
    mode: Mode = "live"
    expires_at: Annotated[datetime, Meta(tz=True, description="when it stops working")] | None = None


class KeyRotation(Incoming, frozen=True, kw_only=True):
    """How long the old secret stays good beside the new one; 0 after a leak."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_SECONDS)] = 24 * 3_600


class ApiKey(Outgoing, frozen=True, kw_only=True):
    """A key without its secret. `prefix` is how the secret begins, to tell keys apart.

    `last_used_at` is a minute late at most.
    """

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    role: Role | None = None
    mode: Mode
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class IssuedApiKey(ApiKey, frozen=True, kw_only=True):
    """A key with its secret, `key`, which is shown this once and stored nowhere."""

    key: str


class ApiKeys(Outgoing, frozen=True, kw_only=True):
    """A page of keys, newest first."""

    api_keys: list[ApiKey]
    next_cursor: str | None = None


class NewAccessToken(Incoming, frozen=True, kw_only=True):
    """What a token may do, which is all that the key may unless `scopes` says less, and for how long."""

    scopes: Scopes | None = None
    seconds: Annotated[int, Meta(ge=1, le=MAX_TOKEN_SECONDS)] = 900


class AccessToken(Outgoing, frozen=True, kw_only=True):
    """A token and how many seconds it lives, in the words of RFC 6749, section 5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int
    scope: str


class VerificationKey(Outgoing, frozen=True, kw_only=True):
    """The public part of a key that signs access tokens (RFC 7517, RFC 8037)."""

    kid: str
    x: str
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"


class VerificationKeys(Outgoing, frozen=True, kw_only=True):
    """A JSON Web Key Set (RFC 7517, section 5): the key in use and those whose tokens may still live."""

    keys: list[VerificationKey]

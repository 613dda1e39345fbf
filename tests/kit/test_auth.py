"""Who gets in, and who does not."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from kit.conftest import KNOWN_KEY
from support.servers import SERVICE_SECRET, client_of
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.errors import Unauthenticated
from tidings.kit.ids import now

Sign = Callable[..., str]


def claims(**changes: object) -> dict[str, object]:
    moment = now()
    valid = {"iss": "tests", "aud": "example", "iat": moment, "exp": moment + timedelta(days=1)}
    return {name: value for name, value in (valid | {"scope": "*"} | changes).items() if value is not None}


def token(secret: str = SERVICE_SECRET, algorithm: str = "HS256", **changes: object) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def unsigned(header: str) -> str:
    parts = (header.encode(), json.dumps(claims(iat=None, exp=9_999_999_999)).encode(), b"")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def ask(app: Litestar, credential: str | None, scheme: str = "Bearer") -> httpx.Response:
    headers = {} if credential is None else {"Authorization": f"{scheme} {credential}"}
    async with client_of(app) as client:
        return await client.post("/guarded", headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_service_token_gets_in(app: Litestar, service_token: Sign, scheme: str) -> None:
    """A token signed with the shared secret for this service, with the scope or with all, is let in."""
    for scopes in ((), ("things:read", "things:write")):
        answer = await ask(app, service_token("example", *scopes), scheme)
        assert answer.status_code == 200


async def test_an_api_key_gets_in(app: Litestar) -> None:
    """What starts like an API key is looked up as one."""
    assert (await ask(app, KNOWN_KEY)).status_code == 200


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (None, "missing_credential"),
        ("", "missing_credential"),
        ("nonsense", "unauthenticated"),
        ("a.b.c", "unauthenticated"),
        ("tdg_test_unknown", "unknown_api_key"),
        (token(secret="another secret of more than 32 bytes"), "unauthenticated"),
        (token(aud="templates"), "unauthenticated"),
        (token(aud=None), "unauthenticated"),
        (token(iss=None), "unauthenticated"),
        (token(exp=None), "unauthenticated"),
        (token(exp=now() - timedelta(minutes=1)), "unauthenticated"),
        (token(iat=now() + timedelta(hours=1)), "unauthenticated"),
        (token(algorithm="HS512", secret=SERVICE_SECRET * 2), "unauthenticated"),
        (unsigned('{"alg":"none","typ":"JWT"}'), "unauthenticated"),
        (unsigned('{"alg":"HS256","typ":"JWT"}'), "unauthenticated"),
        (unsigned("[" * 5_000), "unauthenticated"),
        (unsigned("1" * 5_000), "unauthenticated"),
    ],
)
async def test_no_other_credential_gets_in(app: Litestar, credential: str | None, code: str) -> None:
    """A credential that is missing, forged, expired or meant for another service is a 401 that says why."""
    answer = await ask(app, credential)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_caller_without_the_scope_is_refused(app: Litestar, service_token: Sign) -> None:
    """A known caller that lacks the scope is a 403 that names it."""
    answer = await ask(app, service_token("example", "things:read"))
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "things:write" in answer.json()["detail"]


@given(st.one_of(st.none(), st.text(), st.builds("Bearer {}".format, st.text())))
async def test_a_random_header_never_gets_in(header: str | None) -> None:
    """Whatever the header holds, it is refused in the one way there is."""
    with pytest.raises(Unauthenticated):
        await Authenticator(ServiceTokens("example", SERVICE_SECRET)).authenticate(header)


@given(position=st.integers(min_value=0), replacement=st.characters(codec="ascii"))
async def test_a_token_changed_anywhere_never_gets_in(position: int, replacement: str) -> None:
    """One character of a valid token replaced by another makes it worthless."""
    valid = ServiceTokens("tests", SERVICE_SECRET).sign("example")
    # The last character of the signature holds bits that are not part of it.
    at = position % (len(valid) - 1)
    changed = valid[:at] + replacement + valid[at + 1 :]
    authenticator = Authenticator(ServiceTokens("example", SERVICE_SECRET))
    if changed != valid:
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(f"Bearer {changed}")


async def test_metrics_and_schema_are_for_this_machine(app: Litestar, service_token: Sign) -> None:
    """From loopback they are free to read; from elsewhere they want `metrics:read`."""
    near, far = (httpx.ASGITransport(app, client=(host, 1)) for host in ("127.0.0.1", "203.0.113.9"))  # type: ignore[arg-type] # Litestar's own ASGI types
    for path in ("/metrics", "/schema/openapi.json"):
        async with httpx.AsyncClient(transport=near, base_url="http://service.test") as client:
            assert (await client.get(path)).status_code == 200
        async with httpx.AsyncClient(transport=far, base_url="http://service.test") as client:
            authorised = {"Authorization": f"Bearer {service_token('example', 'metrics:read')}"}
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=authorised)).status_code == 200


def test_a_signed_token_is_kept() -> None:
    """Signing for the same audience and scopes again gives the same token, others another."""
    tokens = ServiceTokens("gateway", SERVICE_SECRET)
    assert tokens.sign("users") == tokens.sign("users")
    assert len({tokens.sign("users"), tokens.sign("templates"), tokens.sign("users", ["users:read"])}) == 3

"""A small service made of the kit alone: every part of it in one application."""

from collections.abc import AsyncIterator, Callable
from functools import partial

import httpx
import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from support.servers import SERVICE_SECRET, client_of
from tidings.kit.auth import Authenticator, Principal, ServiceTokens, requires
from tidings.kit.errors import Conflict, FieldFault, Unavailable
from tidings.kit.service import build_app
from tidings.kit.telemetry import trace_headers

MAX_BODY_BYTES = 10_000
KNOWN_KEY = "tdg_test_known"


class Thing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    size: int = 1
    extra: dict[str, object] = {}


@post("/things", status_code=200)
async def echo(data: JSONBody[Thing]) -> Thing:
    return data


@post("/guarded", guards=[requires("things:write")], status_code=200)
async def guarded() -> str:
    return "done"


@get("/trace")
async def trace() -> dict[str, str]:
    return trace_headers()


@get("/numbers/{number:int}")
async def numbered(number: FromPath[int], times: FromQuery[int] = 1) -> int:
    return number * times


@get("/refused")
async def refused() -> None:
    raise Conflict("It is taken", code="taken", errors=[FieldFault(field="$.name", message="Taken")])


@get("/unavailable")
async def unavailable() -> None:
    raise Unavailable("Later", code="engine_unavailable", retry_after=7)


@get("/crash")
async def crash() -> None:
    raise RuntimeError("a detail that only we should read")


async def known_key(key: str) -> Principal | None:
    scopes = frozenset({"things:write"})
    return Principal(owner="shop", kind="api_key", scopes=scopes) if key == KNOWN_KEY else None


@pytest.fixture(scope="package")
def app() -> Litestar:
    tokens = ServiceTokens("example", SERVICE_SECRET)
    return build_app(
        name="example",
        version="1.2.3",
        routes=[echo, guarded, trace, numbered, refused, unavailable, crash],
        authenticator=Authenticator(tokens, known_key),
        checks={},
        provides={},
        max_body_bytes=MAX_BODY_BYTES,
    )


@pytest.fixture(scope="package")
async def client(app: Litestar, service_token: Callable[..., str]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, partial(service_token, "example")) as client:
        yield client

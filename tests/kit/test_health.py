"""What a service says about itself: alive, ready, measured."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from support.servers import SERVICE_SECRET, client_of
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.service import Check, build_app


async def well() -> None:
    return


async def ill() -> None:
    raise ConnectionError("nobody listens on port 5432")


async def hanging() -> None:
    await asyncio.Event().wait()


async def ready(checks: Mapping[str, Check], optional: Mapping[str, Check]) -> httpx.Response:
    app = build_app(
        name="example",
        version="1",
        routes=[],
        authenticator=Authenticator(ServiceTokens("example", SERVICE_SECRET)),
        checks=checks,
        optional_checks=optional,
        provides={},
    )
    async with client_of(app) as client:
        return await client.get("/health/ready")


@pytest.mark.parametrize(
    ("needed", "optional", "status", "verdict"),
    [
        (well, well, 200, "pass"),
        (well, ill, 200, "warn"),
        (ill, well, 503, "fail"),
        (ill, ill, 503, "fail"),
    ],
)
async def test_readiness_follows_what_is_needed(
    needed: Check, optional: Check, status: int, verdict: str
) -> None:
    """A dependency that is needed and fails makes the service not ready; an optional one only warns."""
    answer = await ready({"postgresql": needed}, {"redis": optional})
    assert (answer.status_code, answer.json()["status"]) == (status, verdict)
    assert answer.json()["service"] == "example"


async def test_each_dependency_is_named_and_timed() -> None:
    """Who reads the answer learns which dependency failed, how, and how long each took."""
    checks = (await ready({"postgresql": ill, "broker": well}, {"redis": ill})).json()["checks"]
    assert {name: check["status"] for name, check in checks.items()} == {
        "postgresql": "fail",
        "broker": "pass",
        "redis": "warn",
    }
    assert checks["postgresql"]["detail"] == "nobody listens on port 5432"
    assert all(check["ms"] >= 0 for check in checks.values())


async def test_a_dependency_that_hangs_is_cut_off() -> None:
    """Dependencies that never answer fail together after one time limit; the rest is told all the same."""
    async with asyncio.timeout(30):
        checks = (await ready({"postgresql": hanging, "broker": well}, {"redis": hanging})).json()["checks"]
    assert [checks[name]["status"] for name in ("postgresql", "broker", "redis")] == ["fail", "pass", "warn"]
    assert checks["postgresql"]["detail"] == "TimeoutError"


async def test_alive_is_not_ready(client: httpx.AsyncClient) -> None:
    """Liveness asks no dependency: a restart would not bring the database back."""
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()["status"]) == (200, "pass")


async def test_requests_are_measured_by_route(client: httpx.AsyncClient) -> None:
    """Metrics count by the route's pattern, so that ids and unknown paths do not become series."""
    for number in (7, 8):
        await client.get(f"/numbers/{number}")
    await client.get("/wp-login.php")
    metrics = (await client.get("/metrics")).text
    assert 'route="/numbers/{number}"' in metrics
    assert 'route="unmatched",status="4xx"' in metrics
    assert "/numbers/7" not in metrics
    assert "wp-login" not in metrics


async def test_the_schema_is_openapi(client: httpx.AsyncClient) -> None:
    """`/schema` describes the service, its paths and how to authenticate."""
    schema = (await client.get("/schema/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    assert (schema["info"]["title"], schema["info"]["version"]) == ("Tidings example", "1.2.3")
    assert {"/things", "/health/live", "/health/ready"} <= schema["paths"].keys()
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"

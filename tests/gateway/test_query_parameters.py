"""Query parameters that nobody reads."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("DELETE", "/v1/dead-letters?templateid=welcome", "template_id"),
        ("GET", "/v1/notifications?limit=1&userid=7", "user_id"),
        ("GET", "/v1/api-keys?templateid=x&limit=1", "limit"),
    ],
)
async def test_an_unknown_parameter_is_refused(
    gateway: httpx.AsyncClient, method: str, path: str, known: str
) -> None:
    """A mistyped filter is refused and not left out: the answer names it, and those that there are."""
    answer = await gateway.request(method, path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "unknown_parameter")
    assert known in problem["detail"]
    assert problem["errors"][0]["field"] in {"$.templateid", "$.userid"}


async def test_an_operation_without_parameters(gateway: httpx.AsyncClient) -> None:
    """Where there are none, any is refused."""
    answer = await gateway.post("/v1/notifications/cancel?now", json={"request_ids": ["order-17"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
    assert "It takes none" in answer.json()["detail"]


async def test_who_may_not_ask_hears_that_first(gateway: httpx.AsyncClient) -> None:
    """Without a credential nothing is told of parameters."""
    answer = await gateway.get("/v1/notifications?x=1", headers={"Authorization": "Bearer tdg_live_x"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/v1/users?unknown=1", "/health/live?x=1", "/.well-known/jwks.json?x=1"])
async def test_other_paths_take_any(gateway: httpx.AsyncClient, path: str) -> None:
    """Paths of other services, and those open to all, take whatever is sent."""
    assert (await gateway.get(path)).status_code == 200

"""A test key with every scope reaches what test keys have made, and nothing else."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.conftest import NewBody
from gateway.schedules.conftest import wall


async def send(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    """The id of a notification that is accepted."""
    answer = await client.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def status_of(client: httpx.AsyncClient, notification_id: str) -> str:
    """The state of a notification."""
    return str((await client.get(f"/v1/notifications/{notification_id}")).json()["status"])


@pytest.fixture
def later(new_body: NewBody) -> dict[str, Any]:
    """A request for something that waits."""
    return new_body(request_id=f"reach-{uuid4()}", send_at_local=wall(days=30))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/explain"), ("GET", "/events"), ("POST", "/cancel")]
)
async def test_a_live_notification_is_not_there(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, later: dict[str, Any], method: str, path: str
) -> None:
    """For a test key it is as if there was none; a live key finds those of both."""
    live, test = await send(gateway, later), await send(trying, later)
    refused = await trying.request(method, f"/v1/notifications/{live}{path}")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_notification")
    assert await status_of(gateway, live) == "scheduled"
    if path != "/events":  # that would go on until it is settled
        for client in (trying, gateway):
            assert (await client.request(method, f"/v1/notifications/{test}{path}")).status_code == 200


@pytest.mark.parametrize(
    ("asked", "seen"), [({}, True), ({"sandbox": "true"}, True), ({"sandbox": "false"}, False)]
)
async def test_lists_have_tests_only(
    trying: httpx.AsyncClient,
    gateway: httpx.AsyncClient,
    later: dict[str, Any],
    asked: dict[str, str],
    seen: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whatever a test key looks for, it finds what was sent with test keys."""
    await send(gateway, later)
    test = await send(trying, later)
    query = {"request_id": later["request_id"], **asked}
    found = (await trying.get("/v1/notifications", params=query)).json()["notifications"]
    assert [one["id"] for one in found] == ([test] if seen else [])


async def test_cancelling_many(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, later: dict[str, Any]
) -> None:
    """By name or by group, only what was sent with test keys is cancelled."""
    live, test = await send(gateway, later), await send(trying, later)
    answers = [
        (await trying.post("/v1/notifications/cancel", json=body)).json()
        for body in ({"request_ids": [later["request_id"]]}, {"group_id": live})
    ]
    assert [[item["id"] for item in answer["items"]] for answer in answers] == [[test], []]
    assert (await status_of(gateway, live), await status_of(gateway, test)) == ("scheduled", "cancelled")


async def assert_out_of_reach(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    """What a live key adds at a path is not there for a test key, neither alone nor in the list."""
    added = await gateway.post(path, json=body)
    assert added.status_code == 201, added.text
    one = f"{path}/{added.json()['id']}"
    for method in ("GET", "DELETE"):
        refused = await trying.request(method, one)
        assert refused.status_code == 404
        assert refused.json()["code"].startswith("unknown_")
    assert added.json()["id"] not in (await trying.get(path, params={"limit": "200"})).text
    assert (await gateway.delete(one)).is_success


async def test_schedules_of_live_keys(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, new_body: NewBody
) -> None:
    """A test key sees its own schedules, although it has the scope `*`."""
    body = {
        "rrule": "FREQ=DAILY",
        "start_at_local": wall(days=1),
        "notification": new_body(request_id=None),
    }
    await assert_out_of_reach(trying, gateway, "/v1/schedules", body)


async def test_callback_endpoints_of_live_keys(trying: httpx.AsyncClient, gateway: httpx.AsyncClient) -> None:
    """A test key sees its own callback endpoints, although it has the scope `*`."""
    body = {"url": "https://example.com/hook", "events": ["*"]}
    await assert_out_of_reach(trying, gateway, "/v1/callback-endpoints", body)


async def test_the_keys_that_sign_tokens(trying: httpx.AsyncClient) -> None:
    """A test key does not replace what tokens of live keys are signed with."""
    refused = await trying.post("/v1/tokens/rotate-keys")
    assert (refused.status_code, refused.json()["code"]) == (403, "cannot_grant")


async def test_a_token_reaches_what_its_key_does(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, later: dict[str, Any]
) -> None:
    """An access token of a test key finds no live notification either."""
    live = await send(gateway, later)
    token = (await trying.post("/v1/tokens", json={"scopes": ["notifications:read"]})).json()["access_token"]
    answer = await trying.get(f"/v1/notifications/{live}", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_notification")

"""Requests that a machine thinks of, at every operation of the gateway's description."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis.strategies import booleans
from msgspec.structs import replace
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.hypothesis.examples import generate_one
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.conftest import API_KEY, NewBody
from gateway.dead_letters.letters import Letters
from support.ports import free_port
from support.serving import BESIDE_EXAMPLES, serving
from support.world import World, fresh_address
from tidings.delivery.ledger import open_ledger
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

CASES_PER_OPERATION = 40
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SELDOM_TAKEN = {
    "GET /v1/notifications/{notification_id}/events",
    "POST /v1/notifications/{notification_id}/cancel",
    "PATCH /v1/dead-letters/{letter_id}",
    "POST /v1/dead-letters/{letter_id}/replay",
    "DELETE /v1/dead-letters/replays/{job_id}",
}
"""Of what is there already, not much can be asked. Everything else is to succeed now and then."""
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
WITHOUT_AN_END = {"/v1/events"}
"""A live feed: nothing waits for all of it."""
ENDPOINT = urlsplit("http://127.0.0.1:9/hook")
"""Nothing listens there."""


@pytest.fixture(scope="module")
async def url(settings: GatewaySettings, world: World) -> AsyncIterator[str]:
    """The gateway on a port of its own, with limits that are not reached, and a worker's delivery ledger."""
    settings = replace(
        settings,
        cache_url=world.cache_url,
        limit_requests_per_second=1_000_000,
        limit_notifications_per_minute=1_000_000,
        callback_hosts=(ENDPOINT.netloc,),
    )
    async with (
        open_redis(world.cache_url) as redis,
        open_ledger(redis),
        open_app(settings) as app,
        serving(app, free_port()) as url,
    ):
        yield url


@pytest.fixture(scope="module")
async def some_ids(url: str, gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> dict[str, str]:
    """One of each thing that has an id, by the name of that parameter: a made-up id is never there."""
    user_id = await world.add_user(email=fresh_address())
    letters = Letters(gateway, world, new_body, user_id)
    [letter] = await letters.die()
    ids = {"letter_id": letter["id"], "job_id": (await letters.start())["id"]}
    made = {
        "notification_id": ("notifications", new_body(user_id=user_id)),
        "endpoint_id": ("callback-endpoints", {"url": ENDPOINT.geturl(), "events": ["notification.sent"]}),
        "key_id": ("api-keys", {"name": "made for the test", "scopes": ["notifications:read"]}),
        "schedule_id": (
            "schedules",
            {
                "rrule": "FREQ=DAILY",
                "start_at_local": tomorrow(),
                "notification": new_body(user_id=user_id, request_id=None),
            },
        ),
    }
    async with httpx.AsyncClient(base_url=url, headers=AUTHORIZED) as caller:
        for name, (path, body) in made.items():
            answer = await caller.post(f"/v1/{path}", json=body)
            assert answer.is_success, answer.text
            ids[name] = answer.json()["id"]
    return ids


@BESIDE_EXAMPLES
@pytest.mark.timeout(600)
async def test_whatever_is_sent_the_answer_is_as_described(
    url: str, gateway: httpx.AsyncClient, new_body: NewBody, some_ids: Mapping[str, str]
) -> None:
    """No request that a machine can think of is answered by a 5xx or by what the description lacks."""
    schema = (await gateway.get("/schema/openapi.json")).json()
    # Made here and not in the thread: it imports modules, and Python 3.11 may not compile in two threads.
    results = list(schemathesis.openapi.from_dict(schema).get_all_operations())
    assert all(isinstance(result, Ok) for result in results), results
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    # What is deleted could not be tried afterwards.
    for operation in sorted(operations, key=lambda one: one.method == "delete"):
        if not operation.path.startswith("/v1/") or operation.path in WITHOUT_AN_END:
            continue
        # Nobody waits for the end of what happens to a notification that is there, either.
        ids = {} if operation.path.endswith("/events") else some_ids
        statuses = await asyncio.to_thread(try_operation, operation, url, new_body, ids)
        assert operation.label in SELDOM_TAKEN or any(status < 300 for status in statuses), operation.label


def try_operation(
    operation: schemathesis.APIOperation[Any, Any, Any, Any],
    url: str,
    new_body: NewBody,
    some_ids: Mapping[str, str],
) -> set[int]:
    """Send what the description shows, what fits it and what does not; the statuses that were answered."""

    @settings(
        max_examples=CASES_PER_OPERATION,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE),
        deliverable=booleans(),
        there=booleans(),
    )
    def send(case: schemathesis.Case[Any], *, deliverable: bool, there: bool) -> None:
        if deliverable:
            case.body = to_somebody(case.body, new_body())
        if there and case.path_parameters:
            case.path_parameters = {
                name: some_ids.get(name, value) for name, value in case.path_parameters.items()
            }
        answer = case.call_and_validate(base_url=url, headers=AUTHORIZED, checks=CHECKS)
        statuses.add(answer.status_code)

    statuses: set[int] = set()
    # What is thought of depends on the modules that are loaded, so what can be taken is sent in any case.
    known = operation.Case(path_parameters={one.name: "x" for one in operation.path_parameters})
    for shown in [generate_one(one) for one in operation.get_strategies_from_examples()] or [known]:
        send = example(case=shown, deliverable=True, there=True)(send)
    send()
    return statuses


def tomorrow() -> str:
    """This time tomorrow, on a clock without an offset."""
    return f"{now() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}"


def to_somebody(body: Any, known: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever was made up
    """A made-up body in which each notification is to a person there is, by a template there is.

    Nothing else could be accepted: nobody guesses an id.
    """
    match body:
        case {"template_id": _}:
            named = {name: known[name] for name in ("user_id", "template_id", "variables", "channel")}
            return {**body, **named}
        case {"notifications": [*items]}:
            return {**body, "notifications": [to_somebody(item, known) for item in items]}
        case {"notification": dict(inner)}:
            rule = {"rrule": "FREQ=DAILY", "start_at_local": tomorrow()}
            return {**body, **rule, "notification": to_somebody(inner, known)}
    return body

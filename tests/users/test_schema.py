"""The service's OpenAPI description: whole, with examples, and true whatever is sent."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.ports import free_port
from support.servers import PATIENCE
from support.serving import BESIDE_EXAMPLES, service_process
from tidings.users.settings import UsersSettings

CASES_PER_OPERATION = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OWN_TO_NO_SERVICE = ("/health", "/schema")

Schema = dict[str, Any]
Operation = APIOperation[Any, Any, Any, Any]


@pytest.fixture(scope="module")
async def schema(users: httpx.AsyncClient) -> Schema:
    """What `/schema/openapi.json` answers."""
    document: Schema = (await users.get("/schema/openapi.json")).json()
    return document


def operations(schema: Schema) -> list[Schema]:
    return [
        operation
        for path, operations in schema["paths"].items()
        if not path.startswith(OWN_TO_NO_SERVICE)
        for operation in operations.values()
    ]


async def test_every_path_is_described(schema: Schema) -> None:
    """What there is can be found out from the description; the pages for recipients are no API."""
    assert {path for path in schema["paths"] if not path.startswith(OWN_TO_NO_SERVICE)} == {
        "/users",
        "/users/import",
        "/users/external/{external_id}",
        "/users/{user_id}",
        "/users/{user_id}/export",
        "/users/{user_id}/preferences",
        "/users/{user_id}/tokens",
        "/users/{user_id}/tokens/{token_id}",
        "/users/{user_id}/contact",
        "/contacts",
        "/categories",
        "/categories/{category_id}",
        "/suppressions",
        "/suppressions/{suppression_id}",
        "/suppressions/check",
        "/suppressions/success",
        "/audit-log",
    }


async def test_every_operation_and_every_error_has_an_example(schema: Schema) -> None:
    """Who reads the description sees what to send and what may come back."""
    silent = []
    for operation in operations(schema):
        assert operation["summary"]
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for status, answer in operation["responses"].items():
            assert status < "400" or answer["content"].keys() == {"application/problem+json"}
            bodies.append(answer)
        media = [shown for body in bodies for shown in (body.get("content") or {}).values()]
        silent += [operation["operationId"] for shown in media if not shown.get("examples")]
    assert silent == []


async def test_the_examples_are_true(schema: Schema) -> None:
    """Each example fits the schema beside it."""
    for operation in operations(schema):
        for body in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for media in (body.get("content") or {}).values():
                check = jsonschema_rs.validator_for(media["schema"] | {"components": schema["components"]})
                for example in media.get("examples", {}).values():
                    check.validate(example["value"])


@BESIDE_EXAMPLES
async def test_whatever_is_sent_the_answer_is_as_described(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> None:
    """No request that a machine can think of is answered by a 5xx or by what the description lacks."""
    running = msgspec.structs.replace(users_settings, port=free_port())
    headers = {"Authorization": f"Bearer {service_token('users')}"}
    async with service_process("users", running):
        await asyncio.to_thread(try_everything, f"http://127.0.0.1:{running.port}", headers)


def try_everything(url: str, headers: dict[str, str]) -> None:
    described = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    for result in described.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if not operation.path.startswith(OWN_TO_NO_SERVICE):
            try_operation(operation, add_person(url, headers), headers)


def try_operation(operation: Operation, person: str, headers: dict[str, str]) -> None:
    """Send what fits the description and what does not, about nobody and about a person there is."""

    @settings(
        max_examples=CASES_PER_OPERATION,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE),
        known=st.booleans(),
    )
    def send(case: schemathesis.Case[Any], known: bool) -> None:  # noqa: FBT001 - hypothesis names its arguments
        if known and "user_id" in (case.path_parameters or {}):
            case.path_parameters["user_id"] = person
        case.call_and_validate(headers=headers, checks=CHECKS)

    send()


def add_person(url: str, headers: dict[str, str]) -> str:
    person = httpx.post(f"{url}/users", json={"name": "Ada"}, headers=headers, timeout=PATIENCE)
    return str(person.json()["id"])

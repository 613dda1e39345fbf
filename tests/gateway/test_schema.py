"""The gateway's OpenAPI description: its examples are true."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.conftest import NewBody
from support.ports import free_port
from support.serving import serving
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings

CASES_PER_OPERATION = 40
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

Schema = dict[str, Any]


@pytest.fixture(scope="module")
async def schema(gateway: httpx.AsyncClient) -> Schema:
    """What `/schema/openapi.json` answers."""
    document: Schema = (await gateway.get("/schema/openapi.json")).json()
    return document


@pytest.fixture(scope="module")
async def url(settings: GatewaySettings) -> AsyncIterator[str]:
    """The gateway on a port of its own."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield url


def bodies(schema: Schema) -> list[Schema]:
    """Everything that is sent or answered at the paths of notifications."""
    operations = [
        operation
        for path, described in schema["paths"].items()
        if path.startswith("/v1/")
        for operation in described.values()
    ]
    contents = [
        body.get("content") or {}
        for operation in operations
        for body in [operation.get("requestBody", {}), *operation["responses"].values()]
    ]
    return [media for content in contents for media in content.values()]


def shown(media: Schema) -> list[Any]:
    """The examples of a body; those of requests stand in the schema itself."""
    return media["schema"].get("examples") or [one["value"] for one in media.get("examples", {}).values()]


async def test_the_examples_are_true(schema: Schema) -> None:
    """Whatever is sent or answered has an example, and it fits the schema beside it."""
    assert len(bodies(schema)) > 10
    for media in bodies(schema):
        check = jsonschema_rs.validator_for(media["schema"] | {"components": schema["components"]})
        assert shown(media)
        for example in shown(media):
            check.validate(example)


async def test_the_examples_are_taken(gateway: httpx.AsyncClient, schema: Schema, new_body: NewBody) -> None:
    """Each request shown is accepted, once it names a person and a template that are there."""
    media = schema["paths"]["/v1/notifications"]["post"]["requestBody"]["content"]["application/json"]
    assert len(shown(media)) == 3
    for example in shown(media):
        known = {name: new_body()[name] for name in ("request_id", "user_id", "template_id")}
        answer = await gateway.post("/v1/notifications", json={**example, **known})
        assert answer.status_code == 202, answer.text

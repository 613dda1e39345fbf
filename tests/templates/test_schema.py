"""Whatever the OpenAPI document allows, or forbids, the answer is one that it describes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.ports import free_port
from support.servers import PATIENCE
from support.serving import BESIDE_EXAMPLES, serving
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

Operation = schemathesis.APIOperation[Any, Any, Any, Any]

KNOWN = "known"
EXAMPLES = 40
"""Requests per operation."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
async def url(templates_settings: TemplatesSettings) -> AsyncIterator[str]:
    """The service on a port of its own."""
    async with open_app(templates_settings) as app, serving(app, free_port()) as url:
        yield url


async def stock(url: str, token: str) -> None:
    """Make sure that half of the requests find something."""
    content = {"content": {"en": {"email": {"subject": "s", "text": "{% include 'known' %}"}}}}
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as http:
        for method, path, body in (
            ("PUT", f"/partials/{KNOWN}", {"source": "piece"}),
            ("POST", "/templates", {"id": KNOWN, **content}),
            ("PUT", f"/templates/{KNOWN}/draft", content),
        ):
            answer = await http.request(method, path, json=body)
            assert answer.status_code == 201, answer.text


@BESIDE_EXAMPLES
async def test_no_answer_is_outside_the_schema(url: str, service_token: Callable[..., str]) -> None:
    """No request makes the service fail, and no answer has a status or a shape that is not documented."""
    await stock(url, service_token("templates"))
    headers = {"Authorization": f"Bearer {service_token('templates')}"}
    await asyncio.to_thread(try_everything, f"{url}/schema/openapi.json", headers)


def try_everything(schema_url: str, headers: dict[str, str]) -> None:
    for result in schemathesis.openapi.from_url(schema_url).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path.startswith(("/templates", "/partials")):
            try_operation(operation, headers)


def try_operation(operation: Operation, headers: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=booleans())
    def try_one(case: schemathesis.Case[Any], *, known: bool) -> None:
        if known:
            case.path_parameters = dict.fromkeys(case.path_parameters, KNOWN)
        case.call_and_validate(headers=headers, checks=CHECKS)

    try_one()

"""What the OpenAPI description says of idempotency keys, held against what is served."""

import re
from typing import Any
from uuid import uuid4

import httpx

from gateway.idempotency.conftest import told

WRITES = ("post", "put", "patch", "delete")


async def operations(gateway: httpx.AsyncClient) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation below `/v1` that is described, by method and path."""
    schema = (await gateway.get("/schema/openapi.json")).json()
    return {
        (method, path): operation
        for path, described in schema["paths"].items()
        if path.startswith("/v1/")
        for method, operation in described.items()
    }


def takes_a_key(operation: dict[str, Any]) -> bool:
    """Whether it is said that the header may be sent, once."""
    named = [
        one
        for one in operation.get("parameters", [])
        if one["name"] == "Idempotency-Key" and one["in"] == "header"
    ]
    return len(named) == 1


async def test_every_write_takes_the_header(gateway: httpx.AsyncClient) -> None:
    """Each write says so, and no reading operation does."""
    found = await operations(gateway)
    assert len([one for one in found if one[0] in WRITES]) > 20
    assert {one for one in found if one[0] in WRITES} == {one for one in found if takes_a_key(found[one])}


async def test_every_write_reads_the_header(gateway: httpx.AsyncClient) -> None:
    """No write overlooks a key that is none: whatever it is for, it is refused."""
    for method, path in await operations(gateway):
        if method in WRITES:
            asked = re.sub(r"{\w+}", str(uuid4()), path)
            answer = await gateway.request(method, asked, json={}, headers={"Idempotency-Key": "k" * 300})
            assert told(answer) == (422, "invalid_request"), (method, path)
            assert re.search("(?i)idempotency.key", answer.json()["detail"]), (method, path, answer.text)

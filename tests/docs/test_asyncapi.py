"""docs/asyncapi.yaml describes the messages as they are."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml

from docs.asyncapi_page import COMMAND, MESSAGES, PAGE, Message, asyncapi_page
from tidings.contracts.queues import topology

DOCUMENT: dict[str, Any] = yaml.safe_load(PAGE.read_text("utf-8"))
MESSAGES_BY_NAME = [pytest.param(message, id=message.kind.__name__) for message in MESSAGES]


def referred(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Every reference below a node."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from referred(child)


def found(reference: str) -> Any:  # noqa: ANN401 - any JSON
    """What a reference leads to."""
    return reduce(lambda node, name: node[name], reference.removeprefix("#/").split("/"), DOCUMENT)


def schema_of(name: str) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def test_it_is_up_to_date() -> None:
    """The file is what the source gives."""
    assert PAGE.read_text("utf-8") == asyncapi_page(), f"docs/asyncapi.yaml is old; write it with: {COMMAND}"


def test_every_queue_is_there() -> None:
    """Each queue of the broker is a channel that somebody sends to and somebody receives from."""
    declared = topology()
    names = {*(queue.name for queue in declared.queues), declared.failed_queue}
    assert set(DOCUMENT["channels"]) == names
    for action in ("send", "receive"):
        used = {
            operation["channel"]["$ref"].removeprefix("#/channels/")
            for operation in DOCUMENT["operations"].values()
            if operation["action"] == action
        }
        assert used == names


def test_references_lead_somewhere() -> None:
    """Every reference is to a part of the document."""
    references = list(referred(DOCUMENT))
    assert references
    assert all(isinstance(found(reference), dict) for reference in references)


@pytest.mark.parametrize("message", MESSAGES_BY_NAME)
def test_messages_fit_their_schemas(message: Message) -> None:
    """What a service puts on a queue is valid by the document's schema, and what lacks a part is not."""
    schema = schema_of(message.kind.__name__)
    sent = msgspec.json.decode(msgspec.json.encode(message.example))
    schema.validate(sent)
    required = found(f"#/components/schemas/{message.kind.__name__}")["required"]
    assert required
    for name in required:
        assert not schema.is_valid({key: value for key, value in sent.items() if key != name})

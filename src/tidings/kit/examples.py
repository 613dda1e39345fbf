"""Examples in a service's OpenAPI description: real values of the wire types, so that they stay true."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody


def example_of(*, request: object = None, answer: object = None) -> type[Operation]:
    """An operation whose description shows a body sent and the body answered.

    Structs are shown as JSON; a str as it is, for what is not JSON. Give it to a route as
    `operation_class`.
    """

    @dataclass
    class Shown(Operation):
        def __post_init__(self) -> None:
            if request is not None and isinstance(self.request_body, RequestBody):
                _show(self.request_body.content, request)
            for status, response in (self.responses or {}).items():
                succeeds = int(status) < HTTPStatus.MULTIPLE_CHOICES
                if answer is not None and succeeds and isinstance(response, OpenAPIResponse):
                    _show(response.content or {}, answer)

    return Shown


def _show(content: dict[str, OpenAPIMediaType], value: object) -> None:
    shown: Any = msgspec.to_builtins(value, str_keys=True)
    for media_type in content.values():
        media_type.examples = {"example": Example(value=shown)}

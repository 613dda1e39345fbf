"""What the OpenAPI document shows of requests and answers: one template, on its way."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.enums import RequestEncodingType
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg

from tidings.kit.problems import refusals

AT = "2026-01-31T12:00:00Z"

CONTENT: dict[str, Any] = {
    "default_locale": "en",
    "category": "transactional",
    "when_ambiguous": "retry",
    "content": {
        "en": {
            "email": {
                "subject": "Welcome, {{ name }}",
                "html": '<p>Hello {{ name }}, <a href="{{ link }}">have a look</a>.</p>',
            },
            "push": {"title": "Welcome, {{ name }}", "link": "{{ link }}"},
        }
    },
    "sample": {"name": "Ada", "link": "https://example.com/start"},
}
NEW = {"id": "welcome", **CONTENT}
VARIABLES = {"email": ["link", "name"], "push": ["link", "name"]}
TEMPLATE = NEW | {"version": 3, "state": "published", "variables": VARIABLES, "created_at": AT}
DRAFT = TEMPLATE | {"version": 4, "state": "draft"}
SUMMARY = {
    "id": "welcome",
    "version": 3,
    "draft": True,
    "archived": False,
    "category": "transactional",
    "channels": ["email", "push"],
    "locales": ["en"],
    "updated_at": AT,
}
PAGE = {"templates": [SUMMARY], "next_cursor": None}
HISTORY = {"versions": [{"version": 3, "created_at": AT}], "next_cursor": "3"}
DIFFERENCE = {
    "id": "welcome",
    "from_version": 2,
    "to_version": 3,
    "fields": [
        {"field": "content.en.email.subject", "diff": "@@ -1 +1 @@\n-Hello\n+Welcome, {{ name }}"},
    ],
}
COMPILED = {
    "id": "welcome",
    "version": 3,
    "archived": False,
    "default_locale": "en",
    "category": "transactional",
    "when_ambiguous": "retry",
    "schema": None,
    "variables": VARIABLES,
    "forms": {"en": {"push": {"title": "Welcome, {{ name }}", "link": "{{ link }}"}}},
    "partials": {},
}
PARTIAL_SOURCE = {"source": "<p>Example Ltd, 1 High Street</p>"}
PARTIAL = {"name": "footer", **PARTIAL_SOURCE, "updated_at": AT}
RENDER = {"variables": {"name": "Ada", "link": "https://example.com/start"}, "locale": "en-GB"}
RENDERED = {
    "template_id": "welcome",
    "version": 3,
    "locales": {"push": "en"},
    "push": {"title": "Welcome, Ada", "body": "", "link": "https://example.com/start"},
    "warnings": [],
    "bytes": {"push": 66},
}
TEST = {"to": "me@example.com", "draft": True}
TEST_RESULT = {"sent": True, "provider": "smtp", "detail": None}


def body(example: Mapping[str, Any]) -> BodyKwarg:
    """A JSON body, with an example."""
    return BodyKwarg(media_type=RequestEncodingType.JSON, examples=[Example(value=dict(example))])


def answers(
    kind: type[msgspec.Struct],
    example: Mapping[str, Any],
    refused: Mapping[int, str],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    words: str = "Done",
    conditional: bool = False,
) -> dict[int, ResponseSpec]:
    """How an operation answers: with `kind`, with 304 where a read is `conditional`, and with refusals."""
    found = ResponseSpec(kind, description=words, examples=[Example(value=dict(example))])
    unmodified = {304: ResponseSpec(None, description="`If-None-Match` names what is there still")}
    return {int(status): found, **(unmodified if conditional else {}), **refusals(refused)}

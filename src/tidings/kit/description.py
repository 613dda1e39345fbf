"""Serving a service's OpenAPI description, for programs and for people."""

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from tidings.kit.api_page.page import CONTENT_SECURITY_POLICY, page_of

JSON_PATH = "/openapi.json"
HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}


class DescriptionPlugin(JsonRenderPlugin):
    """Renders the description as JSON.

    Litestar 2.25 describes the items of a `tuple[X, ...]` that has limits as "one of X and anything", which
    no X is: each is both.
    """

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description as bytes."""
        return super().render(request, _corrected(openapi_schema))


class PagePlugin(OpenAPIRenderPlugin):
    """Renders the description as a page, once."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._page: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page as bytes."""
        if self._page is None:
            # By way of JSON, in which examples are what a caller sees of them.
            document = msgspec.json.decode(self.render_json(request, _corrected(openapi_schema)))
            # Relative, so that it is also right where a proxy serves us below a path of its own.
            self._page = page_of(document, json_url=f"schema{JSON_PATH}").encode()
        return self._page


def _corrected(node: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, list):
        return [_corrected(item) for item in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"items": {"oneOf": [dict(item), {} as anything]}} if not anything:
            node = {**node, "items": item}
    return {name: _corrected(value) for name, value in node.items()}

"""Serving a service's OpenAPI description, with what Litestar 2.25 gets wrong in it put right."""

from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin


class DescriptionPlugin(JsonRenderPlugin):
    """Renders the description as JSON.

    Litestar describes the items of a `tuple[X, ...]` that has limits as "one of X and anything", which
    no X is: each is both.
    """

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description as bytes."""
        return super().render(request, _corrected(openapi_schema))


def _corrected(node: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, list):
        return [_corrected(item) for item in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"items": {"oneOf": [dict(item), {} as anything]}} if not anything:
            node = {**node, "items": item}
    return {name: _corrected(value) for name, value in node.items()}

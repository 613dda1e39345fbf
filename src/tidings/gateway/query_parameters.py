"""Query parameters that an operation does not know are refused.

Otherwise a mistyped filter would match more than was meant.
"""

from typing import Any

from litestar import Litestar, Request
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from tidings.kit.errors import FieldFault, Unprocessable


class KnownParameters:
    """Which query parameters each operation takes; those that are not in the description take any."""

    def __init__(self) -> None:
        self._names: dict[BaseRouteHandler, frozenset[str]] = {}

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Refuse what nobody would read.

        Raises:
            Unprocessable: names each parameter that is not known, and those that are.
        """
        if not request.scope["query_string"] or not has_known_parameters(request.route_handler):
            return
        known = self._known(request.app, request.route_handler)
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            listed = f"It takes {', '.join(sorted(known))}" if known else "It takes none"
            raise Unprocessable(
                f"This operation has no query parameter {', '.join(map(repr, unknown))}. {listed}",
                code="unknown_parameter",
                errors=[FieldFault(field=f"$.{name}", message="No such parameter") for name in unknown],
            )

    def _known(self, app: Litestar, handler: BaseRouteHandler) -> frozenset[str]:
        if not self._names:
            self._names = {
                owner: frozenset(parameter.field_alias for parameter in model.expected_query_params)
                for route in app.routes
                if isinstance(route, HTTPRoute)
                for owner, model in route.route_handler_map.values()
            }
        return self._names[handler]


def has_known_parameters(handler: BaseRouteHandler) -> bool:
    """Whether an operation is one of our own API: described, and for callers with a credential."""
    return bool(handler.guards) and getattr(handler, "include_in_schema", True) is not False

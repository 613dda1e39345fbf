"""What the OpenAPI description says of every operation, said in one place."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.types import ControllerRouterHandler

from tidings.gateway.idempotency.once import HAS_KEYS_OF_ITS_OWN, MAX_KEY_LENGTH, WRITES
from tidings.gateway.query_parameters import has_known_parameters
from tidings.kit.problems import refusals

_OF_ALL = refusals(
    {
        422: "`unknown_parameter`: A query parameter is not known",
        429: "`rate_limited`: A limit is used up. `limit` names it; wait for `Retry-After`",
    }
)
_OF_WRITES = refusals(
    {
        409: "`idempotency_in_progress` or `answer_not_kept`: The `Idempotency-Key` is in use",
        422: "`idempotency_key_reused` or `too_long_for_a_key`: The `Idempotency-Key` does not fit",
    }
)
_KEY = Parameter(
    name="Idempotency-Key",
    param_in="header",
    required=False,
    description=(
        "makes it safe to send the request again: it is done once, and answered the same with"
        " `Idempotent-Replayed: true`; kept for 24 hours unless the installation says otherwise"
    ),
    schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=MAX_KEY_LENGTH),
)


def described(route: ControllerRouterHandler) -> ControllerRouterHandler:
    """A route whose description has what goes for all of its kind. What is open to all stays as it is."""
    if not isinstance(route, HTTPRouteHandler) or not has_known_parameters(route):
        return route
    route = copy(route)
    route.responses = _with(route.responses or {}, {status: _OF_ALL[status] for status in (422, 429)})
    if route.http_methods & WRITES and not route.opt.get(HAS_KEYS_OF_ITS_OWN):
        route.responses = _with(route.responses, {status: _OF_WRITES[status] for status in (409, 422)})
        route.operation_class = _taking_a_key(route.operation_class)
    return route


def _with(own: Mapping[int, ResponseSpec], common: Mapping[int, ResponseSpec]) -> dict[int, ResponseSpec]:
    return {**own, **{status: _both(own.get(status), spec) for status, spec in common.items()}}


def _both(own: ResponseSpec | None, common: ResponseSpec) -> ResponseSpec:
    if own is None:
        return common
    return replace(
        own,
        description=f"{own.description}. {common.description}",
        examples=[*(own.examples or []), *(common.examples or [])],
    )


def _taking_a_key(kind: type[Operation]) -> type[Operation]:
    """The route's own class of operation, and the header besides."""
    base: Any = kind

    @dataclass
    class Keyed(base):  # type: ignore[misc] # its base is known at run time only
        def __post_init__(self) -> None:
            getattr(super(), "__post_init__", lambda: None)()
            self.parameters: list[Any] = [*(self.parameters or []), _KEY]

    return Keyed

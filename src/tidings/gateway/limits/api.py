"""What a caller may ask about its limits."""

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ControllerRouterHandler

from tidings.contracts.limits import Limits, LimitState
from tidings.gateway.limits.counters import Standing
from tidings.gateway.limits.enforcing import COUNTS_ITSELF, tally_of
from tidings.gateway.limits.policies import Limit
from tidings.gateway.limits.tally import CallerLimits
from tidings.kit.auth import Principal, authenticated
from tidings.kit.problems import refusals

_EXAMPLE = Limits(
    enforced=True,
    limits=[
        LimitState(name="requests", per="key", quota=50_000, window=10, remaining=49_998, resets_in=3),
        LimitState(
            name="notifications", per="key", quota=300_000, window=60, remaining=299_999, resets_in=41
        ),
        LimitState(name="recipient", per="recipient", quota=10_000, window=3_600),
    ],
)


@get(
    "/v1/limits",
    guards=[authenticated],
    opt={COUNTS_ITSELF: True},
    tags=["limits"],
    summary="Your limits, and what is left of them",
    responses={
        200: ResponseSpec(Limits, description="As they stand", examples=[Example(value=_EXAMPLE)]),
        **refusals({}),
    },
)
async def read_limits(
    request: Request[Principal, None, State], limits: NamedDependency[CallerLimits]
) -> Limits:
    """The limits of the credential that asks. Asking counts as a request."""
    tally = tally_of(request)
    await tally.look()
    every = (*limits.policies.request, *limits.policies.notification)
    return Limits(
        enforced=bool(tally.standings),
        limits=[_state(limit, tally.standings.get(limit.name)) for limit in every],
    )


LIMIT_ROUTES: list[ControllerRouterHandler] = [read_limits]


def _state(limit: Limit, standing: Standing | None) -> LimitState:
    return LimitState(
        name=limit.name,
        per=limit.per,
        quota=limit.quota,
        window=limit.window,
        remaining=standing.left if standing else None,
        resets_in=standing.seconds if standing else None,
    )

"""A channel's ways out, each with its breaker and its budget: which may be tried now, and which when."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from math import inf
from typing import Any, Generic

from prometheus_client import Gauge

from tidings.contracts.codes import Channel, Reason
from tidings.delivery.channel import Content, Provider, Target
from tidings.delivery.outcome import Held
from tidings.delivery.providers_file import Providers
from tidings.delivery.routing.breaker import Breaker, State, Turn
from tidings.delivery.routing.budget import Budget, Budgets
from tidings.kit.ids import now
from tidings.kit.moments import written

SHORTEST_HOLD = 1.0
WORDS_CHARS = 300

STATE = Gauge(
    "tidings_provider_state", "1 for the state that a provider is in", ["channel", "provider", "state"]
)
CREDENTIAL_REFUSED = Gauge(
    "tidings_provider_credential_refused",
    "1 while a provider refuses our credentials: page an operator",
    ["channel", "provider"],
)


class Route(Generic[Content, Target]):
    """One way out."""

    def __init__(self, provider: Provider[Content, Target], breaker: Breaker, budget: Budget) -> None:
        self.provider = provider
        self.breaker = breaker
        self._budget = budget

    def wait(self) -> float:
        """Seconds until it may be tried; 0 also where only a turn is missing."""
        return max(self.breaker.wait(), self._budget.wait())

    def places(self) -> float:
        """How many sends it would let in at once."""
        return 0 if self._budget.wait() else self.breaker.places()

    @property
    def reason(self) -> Reason:
        """Why it may not be tried."""
        if self._budget.wait() > self.breaker.wait():
            return Reason.BUDGET_SPENT
        return self.breaker.reason or Reason.BUDGET_SPENT

    def explain(self) -> str:
        """Why, and until when, for people, with the provider's own words."""
        why = self._budget.words if self.reason is Reason.BUDGET_SPENT else self.breaker.words
        return f"{self.provider.name} {self._until()} ({why[:WORDS_CHARS]})"

    def skipped(self) -> str:
        """Why, and until when, without the provider's words: those speak of the recipients of others."""
        return f"{self.provider.name}: {self.reason} {self._until()}"

    def _until(self) -> str:
        return f"until {written(now() + timedelta(seconds=self.wait()))}"

    async def admit(self, patience: float) -> Turn | None:
        """A turn, after at most `patience` seconds of waiting for the budget; None when there is none."""
        if self._budget.wait():
            return None
        turn = self.breaker.enter()
        if turn is None:
            return None
        try:
            wait = await self._budget.reserve(patience)
            if wait:
                await asyncio.sleep(wait)
        except BaseException:
            turn.end(None)
            raise
        if wait is None or turn.lapsed:
            turn.end(None)
            return None
        return turn

    async def would_admit(self, patience: float) -> bool:
        """Whether `admit` would give a turn now. Nothing is taken."""
        return self.places() >= 1 and await self._budget.reserve(patience, rehearsal=True) is not None

    async def check(self) -> None:
        """Raise, with words for people, unless the provider is in use and can be reached."""
        state = self.breaker.state
        if state is not State.CLOSED:
            raise ConnectionError(f"{state}: {self.explain()}")
        await self.provider.ping()


class Routes(Generic[Content, Target]):
    """All ways out of a channel."""

    def __init__(
        self,
        channel: Channel,
        providers: Sequence[Provider[Content, Target]],
        file: Providers,
        budgets: Budgets,
    ) -> None:
        self._changed = asyncio.Event()
        self.by_name = {
            provider.name: Route(
                provider,
                Breaker(f"{channel}/{provider.name}", self.wake),
                budgets.of(provider.name, file.configs[provider.name]),
            )
            for provider in providers
        }
        for route in self.by_name.values():
            _show(channel, route)

    def places(self) -> float:
        """How many messages may be in work at once, over all routes."""
        return sum(route.places() for route in self.by_name.values())

    def held(self, among: Iterable[Route[Content, Target]] | None = None) -> Held:
        """Why none of these routes, or of all, may be tried, and when the first one may."""
        routes = list(self.by_name.values() if among is None else among)
        soonest = min(routes, key=Route.wait)
        words = ", ".join(route.explain() for route in routes)
        return Held(soonest.reason, f"No provider may be tried: {words}", max(SHORTEST_HOLD, soonest.wait()))

    def next_end(self) -> float:
        """Seconds until the first rest ends; infinite when no route rests."""
        return min((wait for route in self.by_name.values() if (wait := route.wait())), default=inf)

    async def changed(self, within: float) -> None:
        """Return when a route's state has changed or its time has come, after `within` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(within, self.next_end())):
                await self._changed.wait()

    def wake(self) -> None:
        """Let everyone who waits for a change look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """A check for each provider. While one is left alone it is not pinged either."""
        return {name: route.check for name, route in self.by_name.items()}


def _show(channel: Channel, route: Route[Any, Any]) -> None:
    """Gauges that are read off the breaker, since a rest also ends by mere time."""
    name, breaker = route.provider.name, route.breaker
    for state in State:
        STATE.labels(channel, name, state).set_function(partial(_is_in, breaker, state))
    refused = CREDENTIAL_REFUSED.labels(channel, name)
    refused.set_function(lambda: float(breaker.reason is Reason.CREDENTIAL_REFUSED))


def _is_in(breaker: Breaker, state: State) -> float:
    return float(breaker.state is state)

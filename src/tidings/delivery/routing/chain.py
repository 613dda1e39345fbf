"""One message through the providers: in its lane's order, past those that cannot take it now."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, Generic, TypeGuard

from msgspec import structs
from prometheus_client import Counter, Histogram

from tidings.contracts.codes import ErrorOwner, Step, Verdict, WhenAmbiguous
from tidings.contracts.tracing import Trace
from tidings.delivery.channel import Channel, Content, Parcel, Provider, Target
from tidings.delivery.outcome import Answer, Held, Refused, Taken
from tidings.delivery.providers_file import Lane, Providers
from tidings.delivery.routing.breaker import Turn
from tidings.delivery.routing.budget import LONGEST_PATIENCE
from tidings.delivery.routing.routes import Route, Routes

TURN_SECONDS = 2.0
"""How long a message waits for its turn at a provider that is being probed."""
PATIENCE_SECONDS = 2.0
"""How long it waits for a place in a budget while there is another provider."""
DETAIL_CHARS = 1_000
TRIED_FIRST = "it would be tried first"
NO_WAY = "it does not reach this address or device"

ATTEMPTS = Counter(
    "tidings_provider_attempts_total",
    "What providers said: taken, or who owns the error",
    ["channel", "provider", "outcome"],
)
SECONDS = Histogram(
    "tidings_provider_send_seconds",
    "How long a provider took for its answer",
    ["channel", "provider"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)

Claim = Callable[[Provider[Any, Any]], Awaitable[None]]
"""Awaited just before a body goes out to this provider; may be awaited again for the next provider."""


class Chain(Generic[Content, Target]):
    """Sends parcels through a channel's providers."""

    def __init__(
        self, channel: Channel[Content, Target], file: Providers, routes: Routes[Content, Target]
    ) -> None:
        self._channel = channel
        self._file = file
        self._routes = routes

    async def send(
        self,
        parcel: Parcel[Content, Target],
        claim: Claim,
        *,
        trace: Trace,
        when_ambiguous: WhenAmbiguous,
        prefer: str | None = None,
    ) -> Answer | Held:
        """Try providers until one takes it or no further one may be tried.

        Throttles, outages and refused credentials move on to the next; recipient and content errors
        never do. An idempotent provider whose answer is lost is asked once more with the same key;
        after that only `FAIL_OVER` moves on. `prefer` names the provider whose answer to an earlier
        attempt is unknown: where it is idempotent, asking it again is the one way that makes no
        duplicate, so it is asked first, and unless the policy is `FAIL_OVER` alone.
        """
        if self._is_sandboxed(parcel):
            said = await self._channel.sandbox.send(parcel, partial(claim, self._channel.sandbox))
            trace.note(Step.PROVIDER, Verdict.TRIED, _said(said))
            return said
        order = self._order(parcel, when_ambiguous, prefer, trace)
        if not order:
            return _nobody_reaches(parcel)
        turns_end = monotonic() + TURN_SECONDS
        while True:
            before = len(trace.decisions)
            answer = await self._once_through(order, parcel, claim, trace, when_ambiguous)
            if answer is not None:
                return answer
            remaining = turns_end - monotonic()
            if min(route.wait() for route in order) >= remaining:
                return self._routes.held(order)
            await self._routes.changed(remaining)
            del trace.decisions[before:]  # the next round says the same

    async def rehearse(self, parcel: Parcel[Content, Target], trace: Trace) -> Held | Refused | None:
        """Why `send` would ask no provider now; None if it would, and then `trace` names the first one.

        Nothing is sent or taken. Unless a provider is the only one of its step, the next draw may differ.
        """
        if self._is_sandboxed(parcel):
            trace.note(Step.PROVIDER, Verdict.PASSED, f"{self._channel.sandbox.name}: {TRIED_FIRST}")
            return None
        order = self._order(parcel, WhenAmbiguous.RETRY, None, trace)
        for index, route in enumerate(order):
            if await route.would_admit(_patience(order, index)):
                trace.note(Step.PROVIDER, Verdict.PASSED, f"{route.provider.name}: {TRIED_FIRST}")
                return None
            trace.note(Step.PROVIDER, Verdict.SKIPPED, route.skipped())
        return self._routes.held(order) if order else _nobody_reaches(parcel)

    def _is_sandboxed(self, parcel: Parcel[Content, Target]) -> bool:
        return parcel.message.sandbox or self._channel.is_magic(parcel.target)

    async def _once_through(
        self,
        order: Sequence[Route[Content, Target]],
        parcel: Parcel[Content, Target],
        claim: Claim,
        trace: Trace,
        when_ambiguous: WhenAmbiguous,
    ) -> Answer | None:
        """What the first provider that decides says, else all that was refused; None: none was asked."""
        deadline = monotonic() + self._file.message_seconds
        refusals: list[Refused] = []
        for index, route in enumerate(order):
            if refusals and monotonic() >= deadline:
                break
            turn = await route.admit(_patience(order, index))
            if turn is None:
                trace.note(Step.PROVIDER, Verdict.SKIPPED, route.skipped())
                continue
            answer = await self._ask(route, turn, parcel, claim)
            trace.note(Step.PROVIDER, Verdict.TRIED, _said(answer))
            if isinstance(answer, Taken):
                return _with_detours(answer, refusals)
            refusals.append(answer)
            if not _moves_on(answer, when_ambiguous):
                break
        return summary(refusals) if refusals else None

    async def _ask(
        self, route: Route[Content, Target], turn: Turn, parcel: Parcel[Content, Target], claim: Claim
    ) -> Answer:
        answer: Answer | None = None
        try:
            answer = await self._ask_once(route.provider, parcel, claim)
            if _is_ambiguous(answer) and route.provider.idempotent:
                answer = the_surer_of(answer, await self._ask_once(route.provider, parcel, claim))
            return answer
        finally:
            turn.end(answer)

    async def _ask_once(
        self, provider: Provider[Content, Target], parcel: Parcel[Content, Target], claim: Claim
    ) -> Answer:
        started = monotonic()
        answer = await provider.send(parcel, partial(claim, provider))
        labels = (self._channel.name, provider.name)
        ATTEMPTS.labels(*labels, "taken" if isinstance(answer, Taken) else answer.owner).inc()
        SECONDS.labels(*labels).observe(monotonic() - started)
        return answer

    def _order(
        self,
        parcel: Parcel[Content, Target],
        when_ambiguous: WhenAmbiguous,
        prefer: str | None,
        trace: Trace,
    ) -> list[Route[Content, Target]]:
        routes = self._routes.by_name
        preferred = routes.get(prefer) if prefer else None
        names = dict.fromkeys(drawn(self._file.lanes[parcel.message.priority]))
        order = []
        for name in names:
            if routes[name].provider.takes(parcel.target):
                order.append(routes[name])
            else:
                trace.note(Step.PROVIDER, Verdict.SKIPPED, f"{name}: {NO_WAY}")
        if preferred is None or not preferred.provider.idempotent:
            return order
        if not preferred.provider.takes(parcel.target):
            return order
        others = [route for route in order if route is not preferred]
        return [preferred, *others] if when_ambiguous is WhenAmbiguous.FAIL_OVER else [preferred]


def drawn(lane: Lane) -> list[str]:
    """The providers of a lane in an order for one message: by steps, within a step by weighted lot."""
    # Each takes the key u^(1/weight), and the largest key wins (Efraimidis and Spirakis, 2006).
    return [
        name
        for step in lane
        for name, _ in sorted(step, key=lambda one: random.random() ** (1 / one[1]), reverse=True)  # noqa: S311 - shares out load, guards nothing
    ]


def _patience(order: Sequence[Route[Any, Any]], index: int) -> float:
    """How long to wait for a place in the budget of one route, given those after it."""
    others = any(other.places() for other in order[index + 1 :])
    return PATIENCE_SECONDS if others else LONGEST_PATIENCE


def _nobody_reaches(parcel: Parcel[Any, Any]) -> Refused:
    words = f"No provider of the lane `{parcel.message.priority}` reaches this address or device"
    return Refused("none", ErrorOwner.CONTENT, words)


def _said(answer: Answer) -> str:
    """Without the provider's words, which often repeat the address; the timeline has those."""
    return f"{answer.provider}: {'taken' if isinstance(answer, Taken) else answer.owner}"


def the_surer_of(lost: Refused, second: Answer) -> Answer:
    """Of a lost answer and that to a second request with the same key, the one that tells more."""
    if isinstance(second, Taken) or second.owner in {ErrorOwner.RECIPIENT, ErrorOwner.CONTENT}:
        return second
    # A second request that did not get through says nothing about the first.
    return replace(lost, detail=f"{lost.detail}; asked again: {second.detail}"[:DETAIL_CHARS])


def summary(refusals: Sequence[Refused]) -> Refused:
    """One refusal for several: what decides comes first, and the words of all."""
    last = refusals[-1]
    if len(refusals) == 1:
        return last
    said = "; ".join(f"{refused.provider}: {refused.detail}" for refused in refusals)[:DETAIL_CHARS]
    waits = [refused.retry_after for refused in refusals if refused.retry_after is not None]
    if last.owner in {ErrorOwner.RECIPIENT, ErrorOwner.CONTENT}:
        return replace(last, detail=said)
    rank = (ErrorOwner.AMBIGUOUS, ErrorOwner.OUTAGE, ErrorOwner.THROTTLE, ErrorOwner.CREDENTIAL)
    chosen = min(refusals, key=lambda refused: rank.index(refused.owner))
    return replace(chosen, detail=said, retry_after=min(waits, default=None))


def _with_detours(taken: Taken, refusals: Sequence[Refused]) -> Taken:
    """With what the providers before it said: the timeline is to hold everybody's words."""
    if not refusals:
        return taken
    said = "; ".join(f"{refused.provider}: {refused.detail}" for refused in refusals)
    return structs.replace(taken, detail=f"{taken.detail or ''} [after {said}]".strip()[:DETAIL_CHARS])


def _is_ambiguous(answer: Answer) -> TypeGuard[Refused]:
    return isinstance(answer, Refused) and answer.owner is ErrorOwner.AMBIGUOUS


def _moves_on(refused: Refused, when_ambiguous: WhenAmbiguous) -> bool:
    match refused.owner:
        case ErrorOwner.RECIPIENT | ErrorOwner.CONTENT:
            return False
        case ErrorOwner.AMBIGUOUS:
            return when_ambiguous is WhenAmbiguous.FAIL_OVER
        case ErrorOwner.THROTTLE:
            return refused.provider_wide
        case ErrorOwner.OUTAGE | ErrorOwner.CREDENTIAL:
            return True

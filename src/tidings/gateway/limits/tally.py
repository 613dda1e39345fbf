"""What one request takes from its caller's limits."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from prometheus_client import Counter

from tidings.contracts.codes import Channel
from tidings.gateway.limits.counters import Charge, Counters, Standing, Verdict
from tidings.gateway.limits.policies import Limit, Policies
from tidings.kit.auth import Principal
from tidings.kit.errors import TooManyRequests
from tidings.kit.service import Check

REFUSED = Counter("tidings_limits_refused_total", "Requests refused because a limit was used up", ["limit"])


class Tally:
    """The account of one request: it counts once as a request, and each notification in it besides.

    Without one that `asked`, only notifications count. Where there is no Redis, and for our own services,
    nothing is counted and nothing refused.
    """

    def __init__(
        self, counters: Counters | None, policies: Policies, owner: str, *, asked: bool = True
    ) -> None:
        self._counters = counters
        self._policies = policies
        self._owner = owner
        self._request_counted = not asked
        self.standings: dict[str, Standing] = {}
        """How the limits stood when they were last asked, by name."""

    async def count_request(self) -> None:
        """Count the request itself, where that is not done.

        Raises:
            TooManyRequests: a limit is used up.
        """
        await self._count(self._for_request())

    async def settle(self) -> None:
        """Count the request if nothing did so before it was answered: it could not even be read."""
        if not self._request_counted:
            with suppress(TooManyRequests):  # its answer says what is wrong with it
                await self.count_request()

    async def look(self) -> None:
        """Count the request, and see how the caller's other limits stand."""
        limits = [limit for limit in self._policies.notification if limit.per == "key"]
        await self._count([*self._for_request(), *(Charge(limit, self._owner, 0) for limit in limits)])

    async def look_for(self, user_id: str, channels: Sequence[Channel]) -> Standing | None:
        """The limit that would refuse a notification on each channel to one person; only the request counts.

        Raises:
            TooManyRequests: a limit on requests is used up.
        """
        requests = self._for_request()
        charges = self._for_notifications(user_id, channels)
        verdict = await self._count([*requests, *(replace(charge, amount=0) for charge in charges)])
        if verdict is None:  # nothing is limited now
            return None
        standings = zip(charges, verdict.standings[len(requests) :], strict=True)
        return next((standing for charge, standing in standings if standing.left < charge.amount), None)

    async def count_notifications(self, user_id: str, channels: Sequence[Channel]) -> "Counted":
        """Count the request, and a notification on each channel to one person: all of them, or none.

        Raises:
            TooManyRequests: a limit is used up.
        """
        charges = self._for_notifications(user_id, channels)
        verdict = await self._count([*self._for_request(), *charges])
        return Counted(self._counters, charges if verdict else [])

    async def _count(self, charges: Sequence[Charge]) -> Verdict | None:
        self._request_counted = True
        verdict = await self._counters.count(charges) if self._counters and charges else None
        if verdict:
            self.standings |= {standing.limit.name: standing for standing in verdict.standings}
            if verdict.refused:
                raise _refusal(verdict.refused)
        return verdict

    def _for_request(self) -> list[Charge]:
        if self._request_counted:
            return []
        return [Charge(limit, self._owner, 1, alone=True) for limit in self._policies.request]

    def _for_notifications(self, user_id: str, channels: Sequence[Channel]) -> list[Charge]:
        return [
            Charge(limit, key, amount)
            for limit in self._policies.notification
            for key, amount in self._keys(limit, user_id, channels)
        ]

    def _keys(self, limit: Limit, user_id: str, channels: Sequence[Channel]) -> list[tuple[str, int]]:
        if limit.per == "key":
            return [(self._owner, len(channels))]
        return [(f"{self._owner}:{channel}:{user_id}", 1) for channel in channels]


@dataclass(frozen=True, slots=True)
class Counted:
    """Notifications that were counted."""

    counters: Counters | None
    charges: Sequence[Charge]

    def give_back(self) -> None:
        """None of them was new: count them no longer. Nobody waits for that."""
        if self.counters and self.charges:
            self.counters.count_later([replace(charge, amount=-charge.amount) for charge in self.charges])


class CallerLimits:
    """Opens the account of each request. `checks` are for `/health/ready`."""

    def __init__(self, counters: Counters | None, policies: Policies) -> None:
        self._counters = counters
        self.policies = policies
        self.checks: dict[str, Check] = {} if counters is None else {"redis": counters.ping}

    def tally(self, caller: Principal, *, asked: bool = True) -> Tally:
        """An account for one request of `caller`, or for what is done for them though nobody `asked` now."""
        counters = None if caller.kind == "service" else self._counters
        return Tally(counters, self.policies, caller.owner, asked=asked)


def _refusal(refused: Standing) -> TooManyRequests:
    limit = refused.limit
    REFUSED.labels(limit.name).inc()
    seconds = max(1, refused.seconds)
    return TooManyRequests(
        f"The limit `{limit.name}` is used up: {limit.quota:,} {limit.words}. Try again in {seconds:,} s",
        code="rate_limited",
        limit=limit.name,
        retry_after=seconds,
    )

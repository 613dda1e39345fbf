"""How patiently endpoints are treated."""

import random
from dataclasses import dataclass
from datetime import timedelta

from tidings.gateway.settings import GatewaySettings

JITTER = 0.2
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class CallbackPolicy:
    """Limits and waits of callbacks.

    `retry_delays` are seconds after the first, second, … failure of one event. After `breaker_failures`
    attempts in a row that failed, an endpoint is left alone for `rest` and then tried with one event at
    a time; when it failed for `suspend_after` without a success, it is suspended.
    """

    hosts: frozenset[str]
    retry_delays: tuple[float, ...]
    seconds: float
    rest: timedelta
    suspend_after: timedelta
    breaker_failures: int = 5
    window: int = 16
    """Events on their way to one endpoint at once, over all gateways."""
    lease: timedelta = timedelta(minutes=10)
    """After this time an event that nobody reported on is handed out again."""
    overlap: timedelta = timedelta(hours=24)
    """How long a secret that was replaced goes on signing beside the new one."""
    kept: timedelta = timedelta(days=30)

    def delay_after(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds until the attempt after the `attempt`-th; None when that was the last.

        An endpoint may ask for up to twice the usual wait (`retry_after`, seconds), not for less and not
        for more: one answer must not hold an event back for ever. Without it the wait varies by 20 %.
        """
        if attempt > len(self.retry_delays):
            return None
        usual = self.retry_delays[attempt - 1]
        if retry_after is not None:
            return min(max(usual, retry_after), 2 * usual)
        return usual * _random.uniform(1 - JITTER, 1 + JITTER)


def policy_of(settings: GatewaySettings) -> CallbackPolicy:
    """The policy that the environment asks for."""
    return CallbackPolicy(
        hosts=frozenset(settings.callback_hosts),
        retry_delays=settings.callback_retry_delays,
        seconds=settings.callback_seconds,
        rest=timedelta(seconds=settings.callback_rest_seconds),
        suspend_after=timedelta(hours=settings.callback_suspend_hours),
    )

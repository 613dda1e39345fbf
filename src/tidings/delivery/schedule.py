"""When to try again: exponential backoff with jitter, within a number of attempts."""

import random
from dataclasses import dataclass

JITTER = 0.2
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Waits in seconds after the first, second, … failure; the last one repeats."""

    delays: tuple[float, ...]
    max_attempts: int

    def exhausted(self, attempt: int) -> bool:
        """Whether `attempt` (1 is the first) was the last one."""
        return attempt >= self.max_attempts

    def delay(self, attempt: int, asked: float | None = None) -> float:
        """Seconds until the next attempt: what the provider asked for, else the schedule's step.

        Up to a fifth is added at random, so that what failed together does not come back together.
        """
        step = self.delays[min(attempt, len(self.delays)) - 1] if asked is None else asked
        return step * (1 + JITTER * _random.random())

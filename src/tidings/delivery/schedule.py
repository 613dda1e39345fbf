"""When to try again: exponential backoff with jitter, within a number of attempts."""

import random
from dataclasses import dataclass

JITTER = 0.2
JITTER_SECONDS = 60.0
"""The most that is added to a wait that was asked for: eight quiet hours do not become nine and a half."""
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
        """Seconds until the next attempt: what was asked for, else the schedule's step.

        Up to a fifth is added at random, so that what failed together does not come back together; to
        what was asked for, by a provider or a person's quiet hours, no more than a minute.
        """
        if asked is not None:
            return asked + min(asked * JITTER, JITTER_SECONDS) * _random.random()
        step = self.delays[min(attempt, len(self.delays)) - 1]
        return step * (1 + JITTER * _random.random())

"""A circuit breaker: what keeps failing is left alone for a while, then probed by one call at a time."""

from time import monotonic


class Breaker:
    """Says whether a call to one dependency is worth making.

    It opens after `failures` in a row. While it is open, one call per `seconds` may probe; the first
    that succeeds closes it. A call that is cancelled says nothing about the dependency: report neither.
    """

    def __init__(self, *, failures: int, seconds: float) -> None:
        self._limit = failures
        self._seconds = seconds
        self._failures = 0
        self._next_probe = 0.0

    @property
    def closed(self) -> bool:
        """Whether every call is let through."""
        return self._failures < self._limit

    def admits(self) -> bool:
        """Whether to make a call now. Whoever is let through reports `succeeded` or `failed`."""
        if self.closed:
            return True
        if monotonic() < self._next_probe:
            return False
        # Taking the turn keeps others out, and a probe that never reports costs one more rest at most.
        self._next_probe = monotonic() + self._seconds
        return True

    def succeeded(self) -> None:
        """The dependency works."""
        self._failures = 0

    def failed(self) -> None:
        """The dependency did not answer, or said that it cannot."""
        self._failures += 1
        self._next_probe = monotonic() + self._seconds

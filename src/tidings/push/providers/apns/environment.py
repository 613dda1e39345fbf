"""Whether it is the tokens that are bad, or the environment that they are sent to."""

from collections import deque
from time import monotonic

WINDOW_SECONDS = 300.0
MANY = 20
MAX_REMEMBERED = 1_000


class Environment:
    """Remembers what Apple said about tokens of late.

    Tokens of one environment are bad in the other, all of them. So a bad token is believed to be dead
    only while Apple knows others of ours, and when it has known none of many, the settings are at fault.
    """

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bool]] = deque(maxlen=MAX_REMEMBERED)

    def saw_known(self) -> None:
        """Apple took a push, or knew a token as one of this app's that is not in use any more."""
        self._answers.append((monotonic(), True))

    def saw_bad(self) -> None:
        """Apple does not know a token, or knows it as another app's."""
        self._answers.append((monotonic(), False))

    @property
    def proven(self) -> bool:
        """Whether Apple knew any token within the last five minutes."""
        return any(self._recent())

    @property
    def suspect(self) -> bool:
        """Whether Apple knew none of 20 tokens or more within the last five minutes."""
        recent = self._recent()
        return len(recent) >= MANY and not any(recent)

    def _recent(self) -> list[bool]:
        since = monotonic() - WINDOW_SECONDS
        while self._answers and self._answers[0][0] < since:
            self._answers.popleft()
        return [known for _, known in self._answers]

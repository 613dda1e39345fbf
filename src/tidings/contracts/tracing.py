"""Collecting decisions while they are made."""

from tidings.contracts.codes import Step, Verdict
from tidings.contracts.messages import Decision


class Trace:
    """The decisions about one notification, in order. It holds no personal data: no addresses, no values."""

    __slots__ = ("decisions",)

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def note(self, step: Step, verdict: Verdict, detail: str | None = None) -> None:
        """Add a decision."""
        self.decisions.append(Decision(step, verdict, detail))

    def take_in(self, other: "Trace") -> None:
        """Add another trace's decisions, without those that are here already."""
        self.decisions += [one for one in other.decisions if one not in self.decisions]

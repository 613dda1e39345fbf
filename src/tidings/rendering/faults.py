from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in a template, or in the variables it was given.

    `path` is a JSONPath to the culprit: `$.content.en.email.html` in a template, or
    `$.variables.user.name` where a value is missing, and then `variable` is `user.name`.
    """

    path: str
    message: str
    variable: str | None = None


class RenderError(ValueError):
    """A template could not be rendered. `faults` names every cause, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)

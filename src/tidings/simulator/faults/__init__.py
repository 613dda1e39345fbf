"""Faults on request: what the outside world does wrong, how often, and to whom."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tidings.simulator.faults.base import BaseFault
from tidings.simulator.faults.fcm import FcmFault, GoogleTokenFault
from tidings.simulator.faults.mail_apis import (
    MailApiFault,
    MailgunFault,
    PostmarkFault,
    ResendFault,
    SendGridFault,
    SesFault,
)
from tidings.simulator.faults.push_apis import (
    ApnsFault,
    ExpoFault,
    ExpoReceiptsFault,
    OneSignalFault,
    WebPushFault,
)
from tidings.simulator.faults.smtp import SmtpFault, SmtpStage

__all__ = [
    "ApnsFault",
    "ExpoFault",
    "ExpoReceiptsFault",
    "Fault",
    "FaultReport",
    "Faults",
    "FcmFault",
    "GoogleTokenFault",
    "MailApiFault",
    "MailgunFault",
    "OneSignalFault",
    "PostmarkFault",
    "ResendFault",
    "SendGridFault",
    "SesFault",
    "SmtpFault",
    "SmtpStage",
    "WebPushFault",
]

Fault = (
    SmtpFault
    | FcmFault
    | GoogleTokenFault
    | SendGridFault
    | SesFault
    | PostmarkFault
    | MailgunFault
    | ResendFault
    | WebPushFault
    | OneSignalFault
    | ExpoFault
    | ExpoReceiptsFault
    | ApnsFault
)
F = TypeVar("F", bound=BaseFault)


class FaultReport(msgspec.Struct, frozen=True):
    """A fault and how often it has fired."""

    fault: Fault
    fired: int


class Faults:
    """The faults in force. At each chance the first one that fits and fires is the only one."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._fired: list[int] = []

    def replace(self, faults: Sequence[Fault]) -> None:
        """Put these in force in place of all others, with their counts at zero."""
        self._faults = list(faults)
        self._fired = [0] * len(faults)

    def report(self) -> list[FaultReport]:
        """Every fault in force, those that are spent too."""
        return [FaultReport(fault, fired) for fault, fired in zip(self._faults, self._fired, strict=True)]

    def strike_smtp(self, stage: SmtpStage, recipients: Sequence[str] = ()) -> SmtpFault | None:
        """The fault that fires now, if any."""
        return self._strike(SmtpFault, recipients, lambda fault: fault.answers_at == stage)

    def strike(self, kind: type[F], subjects: Sequence[str]) -> F | None:
        """The fault of this kind that fires now, if any; `subjects` are what its `match` may find."""
        return self._strike(kind, subjects, lambda _: True)

    def _strike(self, kind: type[F], subjects: Sequence[str], fits: Callable[[F], bool]) -> F | None:
        for index, fault in enumerate(self._faults):
            if not isinstance(fault, kind) or not fits(fault):
                continue
            if fault.times is not None and self._fired[index] >= fault.times:
                continue
            if fault.match and not any(fault.match in subject for subject in subjects):
                continue
            if random.random() < fault.rate:  # noqa: S311 - chance, not secrecy
                self._fired[index] += 1
                return fault
        return None

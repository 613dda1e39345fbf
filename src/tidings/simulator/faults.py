"""Faults on request: what the outside world does wrong, how often, and to whom."""

import random
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

SmtpStage = Literal["connect", "mail", "rcpt", "data"]


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    rate: Annotated[float, Meta(ge=0, le=1, description="share of the chances at which it fires")] = 1.0
    times: Annotated[int, Meta(ge=1, description="fire this often, then never again")] | None = None
    latency_s: Annotated[float, Meta(ge=0, le=600, description="seconds to wait before the answer")] = 0.0
    drop_connection: Annotated[
        bool, Meta(description="hang up without an answer; the message is not taken")
    ] = False
    drop_response: Annotated[bool, Meta(description="take the message, then hang up without an answer")] = (
        False
    )
    match: (
        Annotated[str, Meta(min_length=1, description="only if the recipient or token contains this")] | None
    ) = None

    def _check(self, refusal: str, refuses: object) -> None:
        effects = [
            name
            for name, present in (
                (refusal, refuses is not None),
                ("drop_connection", self.drop_connection),
                ("drop_response", self.drop_response),
            )
            if present
        ]
        if len(effects) > 1:
            raise ValueError(f"`{effects[0]}` and `{effects[1]}` exclude each other")
        if not effects and not self.latency_s:
            raise ValueError(
                f"Name an effect: `{refusal}`, `latency_s`, `drop_connection` or `drop_response`"
            )


class SmtpFault(_Fault, frozen=True, kw_only=True, tag_field="provider", tag="smtp"):
    """A fault of the SMTP server.

    `stage` says which command it answers. It is `rcpt` for refusals and `drop_connection` unless
    named, and `data` (after the final dot) for `drop_response` and mere latency. With
    `drop_connection` at `data` the body was sent in full and is lost all the same: to the sender
    the same as `drop_response`. The reply 421 also ends the connection (RFC 5321, section 3.8).
    """

    smtp_code: Annotated[int, Meta(ge=400, le=599, description="reply instead of 250")] | None = None
    text: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=400,
                pattern=r"^[ -~]+$",
                description="the reply's words, with the enhanced code",
                examples=["5.7.26 Unauthenticated email is not accepted"],
            ),
        ]
        | None
    ) = None
    stage: SmtpStage | None = None

    def __post_init__(self) -> None:
        self._check("smtp_code", self.smtp_code)
        if self.text and self.smtp_code is None:
            raise ValueError("`text` needs `smtp_code`")
        if self.drop_response and self.answers_at != "data":
            raise ValueError("`drop_response` takes the message, so its `stage` can only be `data`")
        if self.match and self.answers_at in {"connect", "mail"}:
            raise ValueError("`match` needs the `stage` `rcpt` or `data`: no recipient is known before")

    @property
    def answers_at(self) -> SmtpStage:
        """The stage named, or the default described above."""
        if self.stage:
            return self.stage
        return "rcpt" if self.smtp_code or self.drop_connection else "data"


class FcmFault(_Fault, frozen=True, kw_only=True, tag_field="provider", tag="fcm"):
    """A fault of FCM's `messages:send`, with Google's error body for `status`."""

    status: Literal[400, 401, 403, 404, 429, 500, 502, 503, 504] | None = None
    retry_after: Annotated[int, Meta(ge=0, description="seconds in the header Retry-After")] | None = None

    def __post_init__(self) -> None:
        self._check("status", self.status)
        if self.retry_after is not None and self.status is None:
            raise ValueError("`retry_after` needs `status`")


Fault = SmtpFault | FcmFault
F = TypeVar("F", SmtpFault, FcmFault)


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

    def strike_fcm(self, target: str) -> FcmFault | None:
        """The fault that fires now, if any; `target` is the token, topic or condition."""
        return self._strike(FcmFault, [target], lambda _: True)

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

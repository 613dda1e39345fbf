"""Faults of the SMTP server."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.simulator.faults.base import BaseFault

SmtpStage = Literal[
    "connect", "tls", "ehlo", "starttls", "auth", "mail", "rcpt", "data_start", "data", "rset", "quit"
]
Certificate = Literal["expired", "wrong_host", "self_signed"]

_KNOWS_RECIPIENT = frozenset({"rcpt", "data_start", "data"})


class SmtpFault(BaseFault, frozen=True, kw_only=True, tag_field="provider", tag="smtp"):
    """A fault of the SMTP server.

    `stage` says which command it answers: `connect` is the greeting, `data_start` the command DATA
    and `data` the final dot. It is `rcpt` unless named, and `data` for `drop_response` and mere latency.
    With `drop_connection` at `data` the body was sent in full and is lost all the same: to the sender
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
    hang: Annotated[bool, Meta(description="never answer, and keep the connection open")] = False
    drop_after: Annotated[bool, Meta(description="answer, then hang up")] = False
    certificate: (
        Annotated[Certificate, Meta(description="show this certificate in the TLS handshake")] | None
    ) = None

    def __post_init__(self) -> None:
        others = self.hang or self.drop_after or self.certificate is not None
        self.check_effects("smtp_code", self.smtp_code, others=others)
        self._check_silence()
        if self.text and self.smtp_code is None:
            raise ValueError("`text` needs `smtp_code`")
        if self.drop_response and self.answers_at != "data":
            raise ValueError("`drop_response` takes the message, so its `stage` can only be `data`")
        if (self.certificate is None) == (self.answers_at == "tls"):
            raise ValueError("`certificate` and the `stage` `tls` belong together")
        if self.match and self.answers_at not in _KNOWS_RECIPIENT:
            raise ValueError("`match` needs the `stage` `rcpt`, `data_start` or `data`: no recipient before")

    def _check_silence(self) -> None:
        dropped = self.drop_connection or self.drop_response
        if self.hang and (dropped or self.smtp_code is not None):
            raise ValueError("`hang` gives no answer: it excludes `smtp_code` and every drop")
        if self.drop_after and (dropped or self.hang):
            raise ValueError("`drop_after` gives an answer: it excludes `hang` and the other drops")
        if self.certificate and (dropped or self.hang or self.drop_after or self.smtp_code is not None):
            raise ValueError("`certificate` excludes every other effect")

    @property
    def answers_at(self) -> SmtpStage:
        """The stage named, or the default described above."""
        if self.stage:
            return self.stage
        if self.certificate:
            return "tls"
        answered = self.smtp_code or self.drop_connection or self.hang or self.drop_after
        return "rcpt" if answered else "data"

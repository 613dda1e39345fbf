"""What all faults have in common."""

from typing import Annotated

import msgspec
from msgspec import Meta


class BaseFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom a fault meets, how often, and the effects that every server can have."""

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
        Annotated[str, Meta(min_length=1, description="only if a recipient or token contains this")] | None
    ) = None

    def check_effects(self, refusal: str, refuses: object, *, others: bool = False) -> None:
        """Refuse a fault without an effect, or with two that exclude each other.

        `refuses` is the value of the field `refusal`; `others` says whether there is an effect besides.

        Raises:
            ValueError: names the fields.
        """
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
        if not effects and not self.latency_s and not others:
            raise ValueError(
                f"Name an effect: `{refusal}`, `latency_s`, `drop_connection` or `drop_response`"
            )

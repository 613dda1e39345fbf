"""The way that leads nowhere: for test keys and magic recipients."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.letter import EmailParcel
from tidings.kit.addresses import SANDBOX_DOMAIN
from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.ids import now

SANDBOX = "sandbox"
LIVES = {
    "delivered": (ReceiptKind.DELIVERED,),
    "bounced": (ReceiptKind.HARD_BOUNCE,),
    "deferred": (ReceiptKind.DEFERRED, ReceiptKind.DELIVERED),
    "complained": (ReceiptKind.DELIVERED, ReceiptKind.COMPLAINT),
}
"""What becomes of an email to each magic recipient, after it was sent."""

_APART = timedelta(milliseconds=1)


class SandboxProvider:
    """Takes every email, connects to nothing, and publishes receipts of the life that the address asks for.

    The receipts are real in all but one thing: the consumer keeps the suppression list out of it.
    """

    name = SANDBOX
    idempotent = True

    def __init__(self, publish: Callable[[Sequence[Receipt]], Awaitable[None]]) -> None:
        self._publish = publish

    def takes(self, target: str) -> bool:  # noqa: ARG002 - the provider interface's
        """Any address."""
        return True

    async def send(self, parcel: EmailParcel, before_body: BeforeBody) -> Answer:
        """Take it, and say what became of it. A repeated send repeats the same events."""
        await before_body()
        notification_id, taken_at = parcel.message.notification_id, now()
        receipts = [
            Receipt(
                event_id=f"{notification_id}:{kind}",
                kind=kind,
                notification_id=notification_id,
                at=taken_at + number * _APART,
                provider=self.name,
                detail="Sandbox: nothing was sent",
            )
            for number, kind in enumerate(_life_of(parcel.target), start=1)
        ]
        try:
            await self._publish(receipts)
        except BrokerUnavailable as error:
            return Refused(self.name, ErrorOwner.OUTAGE, f"The broker did not take the receipts: {error}")
        return Taken(provider=self.name, detail="Sandbox: nothing was sent", at=taken_at)

    async def ping(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """There is nothing to give back."""


def is_magic(address: str) -> bool:
    """Whether the address is one of the sandbox's: `bounced@simulator.tidings.test`, or `bounced+7@…`."""
    return _magic_name(address) is not None


def _life_of(address: str) -> tuple[ReceiptKind, ...]:
    return LIVES[_magic_name(address) or "delivered"]


def _magic_name(address: str) -> str | None:
    local, _, domain = address.casefold().rpartition("@")
    name = local.partition("+")[0]
    return name if domain == SANDBOX_DOMAIN and name in LIVES else None

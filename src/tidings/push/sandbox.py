"""The way that leads nowhere: for test keys, and for magic devices that behave as they are named."""

from urllib.parse import urlsplit

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import PushParcel

MAGIC_PREFIX = "tidings-sandbox-"
MAGIC_HOST = "simulator.tidings.test"
"""A subscription at `https://simulator.tidings.test/dead` behaves as the token `tidings-sandbox-dead`."""

_REFUSALS = {
    "dead": (ErrorOwner.RECIPIENT, "The sandbox's device is gone for good"),
    "throttled": (ErrorOwner.THROTTLE, "The sandbox's device gets too many pushes"),
    "unavailable": (ErrorOwner.OUTAGE, "The sandbox's provider is down"),
    "too-large": (ErrorOwner.CONTENT, "The sandbox's provider takes no push of this size"),
}


class SandboxProvider:
    """Takes every push and sends none. Only a magic device is ever refused, as its name says."""

    name = "sandbox"
    idempotent = True

    def takes(self, _target: PushToken) -> bool:
        """Every device."""
        return True

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Behave as the device is named: -dead, -throttled, -unavailable, -too-large; else take it."""
        await before_body()
        refusal = _REFUSALS.get(_behaviour(parcel.target) or "")
        if refusal is None:
            return Taken(provider=self.name, detail="sandbox", at=now())
        owner, words = refusal
        dead = owner is ErrorOwner.RECIPIENT
        return Refused(self.name, owner, words, dead=dead, provider_wide=False)

    async def ping(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing to give back."""


def is_magic(target: PushToken) -> bool:
    """Whether the device is one of the sandbox's, for whichever provider it was registered."""
    return _behaviour(target) is not None


def _behaviour(target: PushToken) -> str | None:
    if target.token.startswith(MAGIC_PREFIX):
        return target.token.removeprefix(MAGIC_PREFIX)
    if not target.token.startswith(f"https://{MAGIC_HOST}/"):
        return None
    return urlsplit(target.token).path.strip("/")

"""A dry run: what would have gone out is printed."""

import sys
from typing import TextIO

import msgspec

from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Taken
from tidings.kit.ids import now
from tidings.push.parcel import PushParcel
from tidings.push.providers.configs import ConsoleConfig
from tidings.push.providers.outfit import PushOutfit


class ConsoleProvider:
    """Takes every push for every device, and writes a line of JSON to standard output."""

    idempotent = False

    def __init__(
        self, name: str, _config: ConsoleConfig, _outfit: PushOutfit, out: TextIO | None = None
    ) -> None:
        self.name = name
        self._out = out or sys.stdout

    def takes(self, _target: PushToken) -> bool:
        """Every device."""
        return True

    async def send(self, parcel: PushParcel, before_body: BeforeBody) -> Answer:
        """Print the push. Of the token only the beginning is shown: whoever has it can send to the device."""
        await before_body()
        line = {
            "notification_id": parcel.message.notification_id,
            "user_id": parcel.message.user_id,
            "device": f"{parcel.target.provider}:{parcel.target.token[:8]}…",
            "push": parcel.content,
        }
        self._out.write(msgspec.json.encode(line).decode() + "\n")
        self._out.flush()
        return Taken(provider=self.name, detail="printed", at=now())

    async def ping(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing to give back."""

"""Expo as the push service's tests use it: the settings that ask for receipts, devices, and what was said."""

from pathlib import Path
from uuid import uuid4

import msgspec

from push.ways import Outside
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.world import World
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.push.settings import PushSettings


def asking_at_once(settings: PushSettings, outside: Outside, folder: Path) -> PushSettings:
    """A push service with FCM and Expo, which asks for receipts as soon as there are tickets."""
    file = folder / "push.toml"
    file.write_text(
        f"""
        [providers.firebase]
        kind = "fcm"
        credentials_file = "{outside.simulator.account_file}"
        url = "{outside.url}/fcm"

        [providers.expo]
        kind = "expo"
        url = "{outside.url}/expo"
        """
    )
    return msgspec.structs.replace(
        settings, port=free_port(), fcm_credentials_file=None, providers_file=str(file), receipt_seconds=0
    )


async def add_expo(world: World, user_id: str, inside: str) -> str:
    """An Expo device of which the simulator says what is in the brackets; the registration's id."""
    device = {"provider": "expo", "token": f"ExponentPushToken[{inside}-{uuid4()}]"}
    return await world.users.add(f"/users/{user_id}/tokens", device)


async def receipts(reports: Reports, message: DeliveryMessage, count: int = 1) -> list[StatusEvent]:
    """What receipts said of a notification: steps that belong to no attempt, as soon as there are so many."""

    def told() -> list[StatusEvent]:
        # A device may be asked about twice, and the timeline folds what is said twice.
        events = [event for event in reports.of(message.notification_id) if event.attempt == 0]
        return list({(event.status, event.reason, event.target): event for event in events}.values())

    await eventually(lambda: len(told()) >= count)
    return told()

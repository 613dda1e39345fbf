"""What receipts mean for devices."""

from uuid import UUID

import structlog

from tidings.client.users import UsersClient
from tidings.contracts.messages import PushTicket
from tidings.delivery.outcome import Refused

log = structlog.get_logger(__name__)


class DeviceNotes:
    """Deregisters devices that a receipt calls dead."""

    def __init__(self, users: UsersClient) -> None:
        self._users = users

    async def note(self, user_id: UUID, ticket: PushTicket, refused: Refused) -> None:
        """Deregister the device, unless it has registered again since the push.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        if not refused.dead:
            return
        contact = await self._users.contact(str(user_id))
        tokens = contact.tokens if contact else []
        device = next((one for one in tokens if one.id == ticket.device_id), None)
        if device is None or (device.last_seen or device.created_at) > ticket.at:
            return
        await self._users.remove_token(user_id, device.id, reason=refused.detail[:200])
        log.info("token_removed", token_id=str(device.id), provider=refused.provider)

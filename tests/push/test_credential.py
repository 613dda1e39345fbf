"""The push service as a process without the key that it needs."""

from pathlib import Path

import msgspec

from push.outside import publish
from support.reports import Reports
from support.servers import free_port
from support.serving import service_process
from tidings.contracts.codes import Reason, Status
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings


async def test_without_its_key_file_messages_are_parked(
    settings: PushSettings, broker: Broker, reports: Reports, user_id: str, tmp_path: Path
) -> None:
    """A push service without its key parks what it gets, with words that name the file."""
    missing = tmp_path / "no-such-key.json"
    blind = msgspec.structs.replace(settings, port=free_port(), fcm_credentials_file=str(missing))
    async with service_process("push", blind):
        message = await publish(broker, user_id)
        parked = await reports.next_of(message.notification_id)
    assert (parked.status, parked.reason, parked.attempt) == (Status.PARKED, Reason.CREDENTIAL_REFUSED, 1)
    assert str(missing) in (parked.detail or "")

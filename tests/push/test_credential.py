"""The push service as a process without the key that it needs."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from push.outside import end_of, publish, pushes_to
from simulator.running import Simulator
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.servers import PATIENCE
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
    assert "FCM waits for its key" in (parked.detail or "")


async def test_a_key_that_comes_later_is_found(
    *,
    settings: PushSettings,
    broker: Broker,
    reports: Reports,
    simulator: Simulator,
    user_id: str,
    token: str,
    tmp_path: Path,
) -> None:
    """Until the key file is there, the health of the service says what it waits for; then pushes go out."""
    key = tmp_path / "key.json"
    blind = msgspec.structs.replace(settings, port=free_port(), fcm_credentials_file=str(key))
    async with (
        service_process("push", blind),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{blind.port}", timeout=PATIENCE) as http,
    ):
        # A check has two seconds, in which what stands still for a moment does not answer.
        before = await _once_answered(http, "broker")
        key.write_bytes(simulator.account_file.read_bytes())
        await _once_answered(http, "fcm")
        end = await end_of(reports, await publish(broker, user_id))
    waiting = before["checks"]["fcm"]
    assert (before["status"], waiting["status"]) == ("warn", "warn")
    assert waiting["detail"].startswith(f"FCM waits for its key: {key} cannot be read")
    assert end.status is Status.SENT
    assert len(await pushes_to(simulator, token)) == 1


async def _once_answered(http: httpx.AsyncClient, check: str) -> dict[str, Any]:
    """The health of the service, as soon as it passes this check."""
    told: dict[str, Any] = {}

    async def passes() -> bool:
        told.update((await http.get("/health/ready")).json())
        return bool(told["checks"][check]["status"] == "pass")

    await eventually(passes)
    return told

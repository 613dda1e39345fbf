"""What the email service says of its own state."""

import httpx
import msgspec

from delivery.conftest import NewMessage
from delivery.outside import misbehave, publish
from simulator.running import Simulator
from support.polling import eventually
from support.ports import free_port
from support.serving import service_process
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Broker


async def test_a_provider_that_is_left_alone_degrades_the_service(
    settings: EmailSettings, broker: Broker, simulator: Simulator, new_message: NewMessage
) -> None:
    """Ready names each dependency; one that refuses our credentials is a warning with words, and a gauge."""
    alone = msgspec.structs.replace(settings, port=free_port())
    async with (
        service_process("email", alone),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{alone.port}") as http,
    ):
        before = await http.get("/health/ready")
        await misbehave(simulator, {"smtp_code": 535, "stage": "mail", "text": "5.7.8 Wrong password"})
        await publish(broker, new_message())

        async def degraded() -> bool:
            return _statuses(await http.get("/health/ready"))["smtp"] == "warn"

        await eventually(degraded)
        after = await http.get("/health/ready")
        metrics = (await http.get("/metrics")).text

    assert _statuses(before) == {"broker": "pass", "redis": "pass", "smtp": "pass"}
    assert (after.status_code, after.json()["status"]) == (200, "warn")
    detail = after.json()["checks"]["smtp"]["detail"]
    assert detail.startswith("open: smtp until ")
    assert "its credentials do not work: 535 5.7.8 Wrong password" in detail
    assert 'tidings_provider_credential_refused{channel="email",provider="smtp"} 1.0' in metrics
    assert 'tidings_provider_state{channel="email",provider="smtp",state="open"} 1.0' in metrics
    assert 'tidings_provider_state{channel="email",provider="smtp",state="closed"} 0.0' in metrics
    assert (
        'tidings_provider_attempts_total{channel="email",outcome="credential",provider="smtp"} 1.0' in metrics
    )


def _statuses(answer: httpx.Response) -> dict[str, str]:
    return {name: str(check["status"]) for name, check in answer.json()["checks"].items()}

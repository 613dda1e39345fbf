"""What the email service says of its own state."""

from typing import Any

import httpx
import msgspec

from delivery.conftest import NewMessage
from delivery.outside import misbehave, publish
from simulator.running import Simulator
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE
from support.serving import service_process
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Broker

EVERYTHING = {"broker": "pass", "redis": "pass", "smtp": "pass"}


async def test_a_provider_that_is_left_alone_degrades_the_service(
    settings: EmailSettings, broker: Broker, simulator: Simulator, new_message: NewMessage
) -> None:
    """Ready names each dependency; one that refuses our credentials is a warning with words, and a gauge."""
    alone = msgspec.structs.replace(settings, port=free_port())
    async with (
        service_process("email", alone),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{alone.port}", timeout=PATIENCE) as http,
    ):

        async def well() -> bool:
            return _statuses(await http.get("/health/ready")) == EVERYTHING

        # A check has two seconds, in which what stands still for a moment does not answer.
        await eventually(well)
        await misbehave(simulator, {"smtp_code": 535, "stage": "mail", "text": "5.7.8 Wrong password"})
        await publish(broker, new_message())

        told: dict[str, Any] = {}

        async def degraded() -> bool:
            answer = await http.get("/health/ready")
            told.update(answer.json(), code=answer.status_code)
            smtp = told["checks"]["smtp"].get("detail", "")
            others = {name: one for name, one in _statuses(answer).items() if name != "smtp"}
            return bool(smtp.startswith("open: smtp until ")) and set(others.values()) == {"pass"}

        await eventually(degraded)
        metrics = (await http.get("/metrics")).text

    assert (told["code"], told["status"], told["checks"]["smtp"]["status"]) == (200, "warn", "warn")
    assert "its credentials do not work: 535 5.7.8 Wrong password" in told["checks"]["smtp"]["detail"]
    assert 'tidings_provider_credential_refused{channel="email",provider="smtp"} 1.0' in metrics
    assert 'tidings_provider_state{channel="email",provider="smtp",state="open"} 1.0' in metrics
    assert 'tidings_provider_state{channel="email",provider="smtp",state="closed"} 0.0' in metrics
    assert (
        'tidings_provider_attempts_total{channel="email",outcome="credential",provider="smtp"} 1.0' in metrics
    )


def _statuses(answer: httpx.Response) -> dict[str, str]:
    return {name: str(check["status"]) for name, check in answer.json()["checks"].items()}

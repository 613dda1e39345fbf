"""The real simulator as a process of its own, for any suite that needs an outside world."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.ports import free_port
from support.serving import ServiceProcess, service_process
from tidings.simulator.settings import SimulatorSettings


@dataclass(frozen=True)
class Simulator:
    """A running simulator: its HTTP client, its SMTP ports, and the files it made."""

    process: ServiceProcess
    http: httpx.AsyncClient
    smtp_port: int
    account_file: Path
    smtp_tls_port: int | None = None
    ca_file: str | None = None


def settings_in(
    folder: Path, *, smtp_port: int | None = None, max_messages: int = 100_000, tls: bool = False
) -> SimulatorSettings:
    """Settings on free ports, with the key file in `folder`; with `tls`, certificates too."""
    return SimulatorSettings(
        port=free_port(),
        smtp_port=smtp_port or free_port(),
        service_account_file=str(folder / "service-account.json"),
        max_messages=max_messages,
        smtp_tls_port=free_port() if tls else None,
        certificates_folder=str(folder / "certificates") if tls else None,
    )


@asynccontextmanager
async def running(settings: SimulatorSettings) -> AsyncIterator[Simulator]:
    """A simulator that answers, ended on leaving."""
    async with (
        service_process("simulator", settings) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=30) as http,
    ):
        yield Simulator(
            process,
            http,
            settings.smtp_port,
            Path(settings.service_account_file),
            settings.smtp_tls_port,
            settings.certificates_folder and f"{settings.certificates_folder}/ca.pem",
        )

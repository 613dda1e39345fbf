"""The SMTP server: it takes everything, at once and unread, unless a fault says otherwise."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.kit.settings import SettingsError
from tidings.simulator.emails import StoredEmail
from tidings.simulator.faults import Faults
from tidings.simulator.journal import Journal
from tidings.simulator.settings import SimulatorSettings
from tidings.simulator.smtp.certificates import open_certificates
from tidings.simulator.smtp.server import Handler, Server


@asynccontextmanager
async def serve_smtp(
    emails: Journal[StoredEmail], faults: Faults, settings: SimulatorSettings
) -> AsyncIterator[None]:
    """Take mail into `emails` while the context is open; with STARTTLS where there are certificates.

    Raises:
        SettingsError: a port is taken or not ours to open, or the certificates cannot be written.
    """
    # At each login aiosmtpd warns of an attribute of its own that it is about to drop.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    handler = Handler(emails, faults)
    tls = await _tls(settings, faults)
    servers = [await _listen(handler, settings.host, settings.smtp_port, "SMTP_PORT", starttls=tls)]
    try:
        if settings.smtp_tls_port is not None:
            port = settings.smtp_tls_port
            servers.append(await _listen(handler, settings.host, port, "SMTP_TLS_PORT", implicit=tls))
        yield
    finally:
        for server in servers:
            server.close()
        for transport in list(handler.connections):
            transport.close()
        for server in servers:
            await server.wait_closed()


async def _tls(settings: SimulatorSettings, faults: Faults) -> ssl.SSLContext | None:
    if settings.certificates_folder is None:
        if settings.smtp_tls_port is not None:
            raise SettingsError(
                "TIDINGS_SIMULATOR_SMTP_TLS_PORT needs TIDINGS_SIMULATOR_CERTIFICATES_FOLDER: "
                "a folder for the certificates, which are made there"
            )
        return None
    return await asyncio.to_thread(open_certificates, settings.certificates_folder, faults)


async def _listen(
    handler: Handler,
    host: str,
    port: int,
    setting: str,
    *,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(lambda: Server(handler, starttls), host, port, ssl=implicit)
    except OSError as error:
        raise SettingsError(
            f"The simulator cannot listen for SMTP: {error}. TIDINGS_SIMULATOR_{setting} names the port."
        ) from error

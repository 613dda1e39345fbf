"""The SMTP listener that takes bounces: for return paths of ours, from anyone, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter

from tidings.email.bounces.reading import read_bounce
from tidings.email.receipts.publishing import PublishReceipts
from tidings.email.return_path import ReturnPath
from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.settings import SettingsError

MAX_MAIL_BYTES = 1024 * 1024
MAX_CONNECTIONS = 50
MAX_RECIPIENTS = 5
IDLE_SECONDS = 60.0

MAILS = Counter("tidings_bounce_mails_total", "Mails to the bounce mailbox", ["result"])

log = structlog.get_logger(__name__)


class _Handler:
    """What aiosmtpd calls for each command; the method names are its own."""

    def __init__(self, paths: ReturnPath, publish: PublishReceipts) -> None:
        self._paths = paths
        self._publish = publish
        self.connections: set[asyncio.BaseTransport] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take return paths of ours. Others hear what a mailbox that never was would answer."""
        if self._paths.read(address) is None:
            MAILS.labels("unknown_recipient").inc()
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail once what it says is durable."""
        mail = envelope.content if isinstance(envelope.content, bytes) else b""
        emails = [bounced for path in envelope.rcpt_tos if (bounced := self._paths.read(path)) is not None]
        # A hostile mail takes a tenth of a second to read, which nothing else shall wait for.
        read = [await asyncio.to_thread(read_bounce, mail, bounced) for bounced in emails]
        receipts = [receipt for found in read for receipt in found]
        try:
            if receipts:
                await self._publish(receipts)
        except BrokerUnavailable as error:
            MAILS.labels("broker_unavailable").inc()
            log.warning("bounce_not_taken", error=str(error))
            return "451 4.3.0 Cannot be kept now, try again later"
        MAILS.labels("report" if receipts else "no_report").inc()
        return "250 2.0.0 Ok"


class _Server(SMTP):
    """One connection. Beyond the limit a new one is sent away."""

    line_length_limit = 64 * 1024  # reports quote whatever a server said, however long

    def __init__(self, handler: _Handler, hostname: str) -> None:
        super().__init__(
            handler,
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="bounce mailbox",
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep count."""
        self._handler.connections.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Keep count."""
        if self.transport is not None:
            self._handler.connections.discard(self.transport)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        if len(self._handler.connections) > MAX_CONNECTIONS:
            MAILS.labels("too_many_connections").inc()
            await self.push("421 4.3.2 Too many connections, try again later")
            if self.transport is not None:
                self.transport.close()
            return
        await super()._handle_client()


@asynccontextmanager
async def bounce_mailbox(
    paths: ReturnPath, publish: PublishReceipts, *, host: str, port: int, hostname: str
) -> AsyncIterator[None]:
    """Take bounces on `host:port` as `hostname` for as long as the block runs.

    Raises:
        SettingsError: the port is taken, or not ours to open.
    """
    handler = _Handler(paths, publish)
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Server(handler, hostname), host=host, port=port
        )
    except OSError as error:
        raise SettingsError(f"The bounce mailbox cannot listen on {host}:{port}: {error}") from error
    try:
        yield
    finally:
        server.close()
        for transport in list(handler.connections):
            transport.close()
        await server.wait_closed()

"""The SMTP server: it takes everything, at once and unread, unless a fault says otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tidings.kit.ids import now
from tidings.kit.settings import SettingsError
from tidings.simulator.emails import StoredEmail
from tidings.simulator.faults import Faults, SmtpFault, SmtpStage
from tidings.simulator.journal import Journal

HOSTNAME = "simulator.tidings.test"
MAX_MESSAGE_BYTES = 25 * 1024 * 1024
IDLE_SECONDS = 900.0
SERVICE_CLOSING = 421

_WORDS = {
    421: "4.3.2 Service shutting down, try again later",
    450: "4.2.1 The mailbox is receiving mail too fast, try again later",
    451: "4.3.0 Requested action aborted: local error in processing",
    452: "4.2.2 The mailbox is over its quota, try again later",
    535: "5.7.8 Authentication credentials invalid",
    550: "5.1.1 No such user here",
    552: "5.3.4 The message is too large",
    554: "5.7.1 The message is refused for policy reasons",
}


class _Handler:
    """What aiosmtpd calls for each command; the method names are its own."""

    def __init__(self, emails: Journal[StoredEmail], faults: Faults) -> None:
        self._emails = emails
        self._faults = faults
        self.connections: set[asyncio.BaseTransport] = set()

    async def greeting(self, server: "_Server") -> None:
        """Before the first line of the server."""
        refusal = await self._strike(server, "connect")
        if refusal:
            await _say_and_hang_up(server, refusal)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: "_Server", _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = await self._strike(server, "mail")
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: "_Server", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = await self._strike(server, "rcpt", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: "_Server", _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        fault = self._faults.strike_smtp("data", envelope.rcpt_tos)
        refusal = await _suffer(server, fault) if fault else None
        if refusal:
            return refusal
        email_id = self._emails.add(_stored(envelope))
        if fault and fault.drop_response:
            await _hang_up(server)
        return f"250 2.0.0 Ok: queued as {email_id}"

    async def _strike(self, server: "_Server", stage: SmtpStage, *recipients: str) -> str | None:
        fault = self._faults.strike_smtp(stage, recipients)
        return await _suffer(server, fault) if fault else None


class _Server(SMTP):
    """One connection."""

    def __init__(self, handler: _Handler) -> None:
        super().__init__(
            handler,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="Tidings simulator",
            timeout=IDLE_SECONDS,
            auth_require_tls=False,
            authenticator=_anyone,
            loop=asyncio.get_running_loop(),
        )
        self._handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._handler.connections.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._handler.connections.discard(self.transport)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        await self._handler.greeting(self)
        await super()._handle_client()


@asynccontextmanager
async def serve_smtp(
    emails: Journal[StoredEmail], faults: Faults, *, host: str, port: int
) -> AsyncIterator[None]:
    """Take mail on `host:port` into `emails` while the context is open.

    Raises:
        SettingsError: the port is taken, or not ours to open.
    """
    handler = _Handler(emails, faults)
    try:
        server = await asyncio.get_running_loop().create_server(lambda: _Server(handler), host, port)
    except OSError as error:
        raise SettingsError(
            f"The simulator cannot listen for SMTP: {error}. TIDINGS_SIMULATOR_SMTP_PORT names the port."
        ) from error
    try:
        yield
    finally:
        server.close()
        for transport in list(handler.connections):
            transport.close()
        await server.wait_closed()


async def _suffer(server: _Server, fault: SmtpFault) -> str | None:
    """Wait and hang up as the fault says; returns the refusal to send, if there is one."""
    await asyncio.sleep(fault.latency_s)
    if fault.drop_connection:
        await _hang_up(server)
    if fault.smtp_code is None:
        return None
    default = "4.3.0 Try again later" if fault.smtp_code < 500 else "5.0.0 Refused"  # noqa: PLR2004 - RFC 5321
    reply = f"{fault.smtp_code} {fault.text or _WORDS.get(fault.smtp_code, default)}"
    if fault.smtp_code == SERVICE_CLOSING:
        await _say_and_hang_up(server, reply)
    return reply


async def _say_and_hang_up(server: _Server, reply: str) -> NoReturn:
    await server.push(reply)
    if server.transport is not None:
        server.transport.close()
    await _be_cancelled()


async def _hang_up(server: _Server) -> NoReturn:
    if server.transport is not None:
        # uvloop's transports have the interface without being subclasses of it.
        cast("asyncio.WriteTransport", server.transport).abort()
    await _be_cancelled()


async def _be_cancelled() -> NoReturn:
    # aiosmtpd cancels the task that runs a command when its connection is lost.
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def _anyone(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, _login: LoginPassword
) -> AuthResult:
    return AuthResult(success=True)


def _stored(envelope: Envelope) -> StoredEmail:
    content = envelope.content
    raw = content if isinstance(content, bytes) else (content or "").encode()
    sender = "" if envelope.mail_from in {None, "<>"} else str(envelope.mail_from)
    return StoredEmail(now(), sender, tuple(envelope.rcpt_tos), raw)

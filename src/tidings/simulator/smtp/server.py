"""One SMTP conversation, as aiosmtpd leads it."""

# ruff: noqa: N802 - aiosmtpd finds what answers a command by its name

import asyncio
import ssl
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, Session, TLSSetupException

from tidings.kit.ids import now
from tidings.simulator.emails import StoredEmail
from tidings.simulator.faults import Faults, SmtpStage
from tidings.simulator.journal import Journal
from tidings.simulator.smtp.login import check_password, check_xoauth2
from tidings.simulator.smtp.misbehaving import hang_up, say_and_hang_up, suffer

HOSTNAME = "simulator.tidings.test"
IDENT = "Tidings simulator"
MAX_MESSAGE_BYTES = 25 * 1024 * 1024
IDLE_SECONDS = 900.0


class Handler:
    """What aiosmtpd calls for each command; the method names are its own."""

    def __init__(self, emails: Journal[StoredEmail], faults: Faults) -> None:
        self._emails = emails
        self._faults = faults
        self.connections: set[asyncio.BaseTransport] = set()

    async def refusal(self, server: SMTP, stage: SmtpStage, usual: str, *recipients: str) -> str | None:
        """The answer in place of the usual one, where a fault has one; it may also never return."""
        fault = self._faults.strike_smtp(stage, recipients)
        if fault is None:
            return None
        refusal = await suffer(server, fault)
        if fault.drop_after:
            await say_and_hang_up(server, refusal or usual)
        return refusal

    async def handle_EHLO(
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, usual: list[str]
    ) -> list[str]:
        """Offer what aiosmtpd can do."""
        # aiosmtpd reads commands from a buffer, one by one: that is all that PIPELINING asks for.
        offer = [*usual[:-1], "250-PIPELINING", usual[-1]]
        refusal = await self.refusal(server, "ehlo", "\r\n".join(offer))
        if refusal:
            return [refusal]
        session.host_name = hostname
        return offer

    async def handle_AUTH(
        self, server: SMTP, _session: Session, _envelope: Envelope, _args: list[str]
    ) -> Any:  # noqa: ANN401 - aiosmtpd's own mark for "go on"
        """Refuse every login, if a fault says so; else the mechanism decides."""
        return await self.refusal(server, "auth", "235 2.7.0 Authentication successful") or MISSING

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        """A mechanism that aiosmtpd lacks."""
        return await check_xoauth2(server, args)

    async def handle_MAIL(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any sender."""
        usual = "250 2.1.0 Ok"
        refusal = await self.refusal(server, "mail", usual)
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return usual

    async def handle_RCPT(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take any recipient."""
        usual = "250 2.1.5 Ok"
        refusal = await self.refusal(server, "rcpt", usual, address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return usual

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take the email."""
        fault = self._faults.strike_smtp("data", envelope.rcpt_tos)
        refusal = await suffer(server, fault) if fault else None
        if refusal is None:
            answer = f"250 2.0.0 Ok: queued as {self._emails.add(_stored(envelope))}"
        else:
            answer = refusal
        if fault and fault.drop_response:
            await hang_up(server)
        if fault and fault.drop_after:
            await say_and_hang_up(server, answer)
        return answer

    async def handle_RSET(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:
        """Nothing is left to do: the envelope is forgotten already."""
        usual = "250 2.0.0 Ok"
        return await self.refusal(server, "rset", usual) or usual

    async def handle_QUIT(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:
        """Say goodbye."""
        usual = "221 2.0.0 Bye"
        return await self.refusal(server, "quit", usual) or usual

    async def handle_exception(self, error: Exception) -> str:
        """A client that does not trust us breaks off in the handshake; what else happens, aiosmtpd logs."""
        if isinstance(error, TLSSetupException):
            return ""
        raise error


class Server(SMTP):
    """One connection. With a `starttls` context it offers STARTTLS."""

    def __init__(self, handler: Handler, starttls: ssl.SSLContext | None) -> None:
        super().__init__(
            handler,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident=IDENT,
            timeout=IDLE_SECONDS,
            tls_context=starttls,
            auth_require_tls=False,
            authenticator=check_password,
            loop=asyncio.get_running_loop(),
        )
        self._handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection in mind, to end it with the server."""
        super().connection_made(transport)
        self._handler.connections.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        if self.transport is not None:
            self._handler.connections.discard(self.transport)
        super().connection_lost(error)

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Encrypt, unless a fault refuses to."""
        refusal = await self._handler.refusal(self, "starttls", "220 Ready to start TLS")
        await (self.push(refusal) if refusal else super().smtp_STARTTLS(arg))

    async def smtp_DATA(self, arg: str) -> None:
        """Read an email, unless a fault refuses to."""
        recipients = self.envelope.rcpt_tos if self.envelope else []
        go_on = "354 End data with <CR><LF>.<CR><LF>"
        refusal = await self._handler.refusal(self, "data_start", go_on, *recipients) if recipients else None
        await (self.push(refusal) if refusal else super().smtp_DATA(arg))

    async def _handle_client(self) -> None:
        refusal = await self._handler.refusal(self, "connect", f"220 {HOSTNAME} {IDENT}")
        if refusal:
            await say_and_hang_up(self, refusal)
        await super()._handle_client()


def _stored(envelope: Envelope) -> StoredEmail:
    content = envelope.content
    raw = content if isinstance(content, bytes) else (content or "").encode()
    sender = "" if envelope.mail_from in {None, "<>"} else str(envelope.mail_from)
    return StoredEmail(now(), sender, tuple(envelope.rcpt_tos), raw)

"""One conversation with an SMTP server, from its greeting to our goodbye (RFC 5321)."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from tidings.email.providers.smtp_errors import ConversationLost, OperatorNeeded, ReplyRefused
from tidings.email.providers.smtp_login import Login
from tidings.email.providers.smtp_replies import CLOSING, Stage
from tidings.email.providers.smtp_server import Server
from tidings.email.providers.smtp_wire import Reply, Wire

_GO_ON: Final = 354
_QUESTION: Final = 334
_GOODBYE_SECONDS: Final = 1.0
_UNSPEAKABLE = re.compile(r"[\x00-\x20<>\x7f]")


class SmtpSession:
    """A greeted, encrypted and logged-in connection. Each command is limited to `seconds`."""

    def __init__(self, wire: Wire, seconds: float) -> None:
        self._wire = wire
        self._seconds = seconds
        self._closing = False
        self._extensions: dict[str, str] = {}

    @classmethod
    async def open(cls, server: Server, login: Login | None, seconds: float) -> Self:
        """Connect, and do all that comes before the first email.

        Raises:
            SmtpError: some step failed; nothing is left open.
        """
        wire = await _connected(server, seconds)
        session = cls(wire, seconds)
        try:
            await session._answer(Stage.CONNECT)
            await session._introduce()
            if server.tls == "starttls":
                await session._start_tls(server)
                await session._introduce()
            if login is not None:
                await session._log_in(login)
        except BaseException:
            wire.abort()
            raise
        return session

    @property
    def usable(self) -> bool:
        """Whether the next command can follow: the server is there, and all is answered."""
        return self._wire.in_step and not self._closing

    @property
    def max_bytes(self) -> int | None:
        """The largest message that the server takes (RFC 1870), if it says so."""
        size = self._extensions.get("size", "")
        return int(size) if size.isascii() and size.isdigit() and int(size) else None

    @property
    def takes_utf8(self) -> bool:
        """Whether addresses may have letters beyond ASCII before the @ (RFC 6531)."""
        return "smtputf8" in self._extensions

    async def envelope(self, sender: str, recipients: Sequence[str], size: int) -> list[Reply]:
        """Announce an email; the answers to each recipient. Where it may, all of it goes out in one write.

        Raises:
            ValueError: an address holds what would end the command.
            ReplyRefused: the sender, and with it the email, is refused; or the server closes.
            ConversationLost: no answer.
        """
        utf8 = not "".join((sender, *recipients)).isascii()
        options = (f" SIZE={size}" if "size" in self._extensions else "") + (" SMTPUTF8" if utf8 else "")
        mail = f"MAIL FROM:<{speakable(sender)}>{options}\r\n".encode()
        rcpts = [f"RCPT TO:<{speakable(recipient)}>\r\n".encode() for recipient in recipients]
        if "pipelining" not in self._extensions:
            self._write(Stage.MAIL, mail)
            await self._answer(Stage.MAIL)
            return [await self._rcpt(rcpt) for rcpt in rcpts]
        self._write(Stage.MAIL, b"".join((mail, *rcpts)), answers=1 + len(rcpts))
        refused = await self._reply(Stage.MAIL)
        replies = [await self._reply(Stage.RECIPIENT) for _ in rcpts]
        if not refused.positive:  # the answers to RCPT were taken all the same, to stay in step
            raise ReplyRefused(Stage.MAIL, refused)
        return replies

    async def body(self, content: bytes, seconds: float) -> Reply:
        """Send the email that was announced; `content` has CRLF line ends. `seconds` limits the last answer.

        Raises:
            ReplyRefused, ConversationLost: at stage BODY some of the content may have been taken.
        """
        self._write(Stage.DATA, b"DATA\r\n")
        go_on = await self._reply(Stage.DATA)
        if go_on.code != _GO_ON:
            raise ReplyRefused(Stage.DATA, go_on)
        self._write(Stage.DATA, _dotted(content))  # a write that fails has sent nothing
        return await self._answer(Stage.BODY, seconds)

    async def reset(self) -> None:
        """Forget a half-done email, and find out whether the server is there.

        Raises:
            SmtpError: it is not.
        """
        await self._command(Stage.MAIL, b"RSET\r\n")

    async def quit(self) -> None:
        """Say goodbye, and close, whatever the server makes of it."""
        if self.usable:
            with suppress(ReplyRefused, ConversationLost):
                self._write(Stage.MAIL, b"QUIT\r\n")
                await self._reply(Stage.MAIL, min(self._seconds, _GOODBYE_SECONDS))
                self._wire.close()
                return
        self._wire.abort()

    def abort(self) -> None:
        """Close at once, without a goodbye."""
        self._wire.abort()

    async def _rcpt(self, command: bytes) -> Reply:
        self._write(Stage.RECIPIENT, command)
        return await self._reply(Stage.RECIPIENT)

    async def _introduce(self) -> None:
        # Our own address is a name that needs no DNS (RFC 5321, section 4.1.3).
        own = self._wire.own_address
        literal = f"[IPv6:{own}]" if ":" in own else f"[{own}]"
        self._write(Stage.CONNECT, f"EHLO {literal}\r\n".encode())
        reply = await self._reply(Stage.CONNECT)
        if not reply.positive and reply.code != CLOSING:
            reply = await self._command(Stage.CONNECT, f"HELO {literal}\r\n".encode())
        words = (line.lower().partition(" ") for line in reply.lines[1:])
        self._extensions = {keyword: parameters for keyword, _, parameters in words}

    async def _start_tls(self, server: Server) -> None:
        if "starttls" not in self._extensions or server.context is None:
            raise OperatorNeeded(f"{server} does not offer STARTTLS, and nothing is sent unencrypted")
        await self._command(Stage.CONNECT, b"STARTTLS\r\n")
        try:
            await self._wire.start_tls(server.context, server.host, self._seconds)
        except (OSError, TimeoutError) as error:
            raise _connect_failure(server, error) from error

    async def _log_in(self, login: Login) -> None:
        mechanism = login.choose(self._extensions.get("auth", "").split())
        words, answers = await login.secrets(mechanism)
        self._write(Stage.LOGIN, f"AUTH {words}\r\n".encode())
        reply = await self._reply(Stage.LOGIN)
        for answer in answers:
            if reply.code == _QUESTION:
                self._write(Stage.LOGIN, f"{answer}\r\n".encode())
                reply = await self._reply(Stage.LOGIN)
        if not reply.positive:
            login.refused()
            raise ReplyRefused(Stage.LOGIN, reply)

    async def _command(self, stage: Stage, command: bytes) -> Reply:
        self._write(stage, command)
        return await self._answer(stage)

    async def _answer(self, stage: Stage, seconds: float | None = None) -> Reply:
        reply = await self._reply(stage, seconds)
        if not reply.positive:
            raise ReplyRefused(stage, reply)
        return reply

    def _write(self, stage: Stage, data: bytes, *, answers: int = 1) -> None:
        try:
            self._wire.send(data, answers=answers)
        except ConnectionError as error:
            raise ConversationLost(stage, str(error)) from error

    async def _reply(self, stage: Stage, seconds: float | None = None) -> Reply:
        try:
            reply = await self._wire.reply(self._seconds if seconds is None else seconds)
        except (OSError, TimeoutError) as error:
            raise ConversationLost(stage, str(error)) from error
        if reply.code == CLOSING:
            self._closing = True
            raise ReplyRefused(stage, reply)
        return reply


def speakable(address: str) -> str:
    """The address, if it can stand in a command.

    Raises:
        ValueError: it would end the command, or begin another.
    """
    if _UNSPEAKABLE.search(address):
        raise ValueError("The address holds a space, a control character, < or >")
    return address


async def _connected(server: Server, seconds: float) -> Wire:
    tls = server.context if server.tls == "implicit" else None
    try:
        async with asyncio.timeout(seconds):
            _, wire = await asyncio.get_running_loop().create_connection(
                Wire, server.host, server.port, ssl=tls, server_hostname=server.host if tls else None
            )
    except (OSError, TimeoutError) as error:
        raise _connect_failure(server, error) from error
    return wire


def _connect_failure(server: Server, error: Exception) -> OperatorNeeded | ConversationLost:
    if isinstance(error, ssl.SSLCertVerificationError):
        return OperatorNeeded(
            f"The certificate of {server} cannot be trusted: {error.verify_message}. It has to be renewed "
            "there, or its authority named in `ca_file`"
        )
    hint = f" (is `tls` = {server.tls} right for this port?)" if isinstance(error, ssl.SSLError) else ""
    words = f"{type(error).__name__} {error}".rstrip()
    return ConversationLost(Stage.CONNECT, f"No connection to {server}: {words}{hint}")


def _dotted(content: bytes) -> bytes:
    """The content with its dots doubled at the starts of lines, and the final one (RFC 5321, 4.5.2)."""
    doubled = content.replace(b"\r\n.", b"\r\n..")
    first = b"." if content.startswith(b".") else b""
    last = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, doubled, last))

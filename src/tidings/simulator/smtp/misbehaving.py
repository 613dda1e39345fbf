"""How a fault looks to an SMTP client."""

import asyncio
from typing import NoReturn, cast

from aiosmtpd.smtp import SMTP

from tidings.simulator.faults import SmtpFault

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


async def suffer(server: SMTP, fault: SmtpFault) -> str | None:
    """Wait, fall silent or hang up as the fault says; returns the refusal to send, if there is one."""
    await asyncio.sleep(fault.latency_s)
    if fault.drop_connection:
        await hang_up(server)
    if fault.hang:
        await _be_cancelled()
    if fault.smtp_code is None:
        return None
    default = "4.3.0 Try again later" if fault.smtp_code < 500 else "5.0.0 Refused"  # noqa: PLR2004 - RFC 5321
    reply = f"{fault.smtp_code} {fault.text or _WORDS.get(fault.smtp_code, default)}"
    if fault.smtp_code == SERVICE_CLOSING:
        await say_and_hang_up(server, reply)
    return reply


async def say_and_hang_up(server: SMTP, reply: str) -> NoReturn:
    """Answer, and close the connection."""
    await server.push(reply)
    if server.transport is not None:
        server.transport.close()
    await _be_cancelled()


async def hang_up(server: SMTP) -> NoReturn:
    """Close the connection without an answer."""
    if server.transport is not None:
        # uvloop's transports have the interface without being subclasses of it.
        cast("asyncio.WriteTransport", server.transport).abort()
    await _be_cancelled()


async def _be_cancelled() -> NoReturn:
    # aiosmtpd cancels the task that runs a command when its connection is lost.
    await asyncio.get_running_loop().create_future()
    raise AssertionError

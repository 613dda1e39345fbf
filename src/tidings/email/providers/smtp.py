"""SMTP: any relay or mailbox provider (RFC 5321)."""

from email.utils import parseaddr

import aiosmtplib

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.channel import BeforeBody, Parcel
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.mime import ascii_address, build_mime
from tidings.email.providers.smtp_pool import SmtpPool
from tidings.email.providers.smtp_replies import Stage, names_dead_mailbox, owner_of_reply
from tidings.email.settings import EmailSettings
from tidings.kit.ids import now

NO_SMTPUTF8 = "The server takes no address with non-ASCII letters before the @ (no SMTPUTF8)"


class SmtpProvider:
    """Hands each email to one server over a kept connection, one recipient an email.

    The commands are issued one by one, so that the stage of a failure is known: a connection lost
    before the body is an outage, lost after it is ambiguous.
    """

    name = "smtp"

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._envelope_from = ascii_address(parseaddr(settings.sender)[1])
        self._pool = SmtpPool(settings)

    async def send(self, parcel: Parcel[RenderedEmail, str], before_body: BeforeBody) -> Answer:
        """Try once."""
        try:
            to = ascii_address(parcel.target)
        except UnicodeError as error:
            words = f"The domain of the address has no ASCII form (RFC 5891): {error}"
            return Refused(self.name, ErrorOwner.RECIPIENT, words)
        body = build_mime(
            parcel.message, parcel.content, sender=self._settings.sender, name=parcel.contact.name, to=to
        )
        stage = Stage.CONNECT
        try:
            async with self._pool.connection() as smtp:
                if not to.isascii() and not await _takes_utf8(smtp):
                    return Refused(self.name, ErrorOwner.CONTENT, NO_SMTPUTF8)
                stage = Stage.MAIL
                await smtp.mail(self._envelope_from, options=[] if to.isascii() else ["SMTPUTF8"])
                stage = Stage.RECIPIENT
                await smtp.rcpt(to, encoding="ascii" if to.isascii() else "utf-8")
                await before_body()
                stage = Stage.BODY
                answer = await smtp.data(body, timeout=self._settings.smtp_data_seconds)
        except aiosmtplib.SMTPResponseException as reply:
            owner = owner_of_reply(reply.code, reply.message, stage)
            dead = owner is ErrorOwner.RECIPIENT and names_dead_mailbox(reply.code, reply.message)
            return Refused(self.name, owner, _words(reply.code, reply.message), dead=dead)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return self._lost(error, stage)
        return Taken(provider=self.name, detail=_words(answer.code, answer.message), at=now())

    async def ping(self) -> None:
        """Raise unless the server lets us in."""
        async with self._pool.connection() as smtp:
            await smtp.noop()

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._pool.close()

    def _lost(self, error: Exception, stage: Stage) -> Refused:
        words = f"{type(error).__name__}: {error} (at {stage.name.lower()})"
        owner = ErrorOwner.AMBIGUOUS if stage is Stage.BODY else ErrorOwner.OUTAGE
        return Refused(self.name, owner, words)


async def _takes_utf8(smtp: aiosmtplib.SMTP) -> bool:
    if smtp.is_ehlo_or_helo_needed:  # a new connection has not asked yet what the server can do
        await smtp.ehlo()
    return smtp.supports_extension("smtputf8")


def _words(code: int, message: str) -> str:
    # aiosmtplib hands over bytes that are not UTF-8 as surrogates, which no JSON can hold.
    return f"{code} {message}".encode(errors="replace").decode()

"""SMTP: any relay or mailbox provider (RFC 5321)."""

from email.utils import parseaddr

import aiosmtplib

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.http import RenderedEmail
from tidings.delivery.channel import BeforeBody, Parcel
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.mime import ascii_address, build_mime
from tidings.email.providers.smtp_pool import SmtpPool
from tidings.email.providers.smtp_replies import Stage, owner_of_reply
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
        to = ascii_address(parcel.target)
        body = build_mime(
            parcel.message, parcel.content, sender=self._settings.sender, name=parcel.contact.name, to=to
        )
        stage = Stage.CONNECT
        try:
            async with self._pool.connection() as smtp:
                if not to.isascii() and not smtp.supports_extension("smtputf8"):
                    return Refused(self.name, ErrorOwner.CONTENT, NO_SMTPUTF8)
                stage = Stage.MAIL
                await smtp.mail(self._envelope_from, options=[] if to.isascii() else ["SMTPUTF8"])
                stage = Stage.RECIPIENT
                await smtp.rcpt(to, encoding="ascii" if to.isascii() else "utf-8")
                await before_body()
                stage = Stage.BODY
                answer = await smtp.data(body, timeout=self._settings.smtp_data_seconds)
        except aiosmtplib.SMTPResponseException as reply:
            words = f"{reply.code} {reply.message}"
            return Refused(self.name, owner_of_reply(reply.code, reply.message, stage), words)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return self._lost(error, stage)
        return Taken(provider=self.name, detail=f"{answer.code} {answer.message}", at=now())

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

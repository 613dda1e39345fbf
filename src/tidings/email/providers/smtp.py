"""SMTP: any relay or mailbox provider (RFC 5321)."""

import re
from dataclasses import dataclass

from tidings.contracts.codes import ErrorOwner, Priority
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.letter import EmailParcel
from tidings.email.mime import addresses
from tidings.email.providers.building import built
from tidings.email.providers.configs import SmtpConfig
from tidings.email.providers.outfit import Outfit
from tidings.email.providers.smtp_errors import ConversationLost, OperatorNeeded, ReplyRefused, SmtpError
from tidings.email.providers.smtp_login import login_of
from tidings.email.providers.smtp_pool import Kept, SmtpPool
from tidings.email.providers.smtp_replies import (
    CLOSING,
    Stage,
    names_dead_mailbox,
    owner_of_reply,
    speaks_of_one_mailbox,
    wait_asked_for,
)
from tidings.email.providers.smtp_server import server_of
from tidings.email.providers.smtp_session import SmtpSession, speakable
from tidings.email.providers.smtp_wire import Reply
from tidings.kit.ids import now
from tidings.kit.telemetry import mask_address

NO_SMTPUTF8 = "The server takes no address with non-ASCII letters before the @ (no SMTPUTF8)"
MAX_WORDS = 900

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class _Mail:
    """What goes over the wire. The first recipient is the one whom the notification is for."""

    sender: str
    recipients: list[str]
    content: bytes
    lane: Priority

    def obstacle(self, session: SmtpSession) -> str | None:
        """Why this server cannot take it, known before a word is said."""
        if not session.takes_utf8 and not "".join((self.sender, *self.recipients)).isascii():
            return NO_SMTPUTF8
        limit = session.max_bytes
        if limit is not None and len(self.content) > limit:
            return f"The email has {len(self.content)} bytes, and the server takes at most {limit}"
        return None


class _StaleConnection(Exception):
    """A kept connection turned out to be over, before anything of the email was said."""


class SmtpProvider:
    """Hands each email to one server over a kept connection.

    The commands are issued one by one, so that the stage of a failure is known: a connection lost
    before the body is an outage, lost after it is ambiguous. A refused copy (cc, bcc) is left out.

    Raises:
        SettingsError: the config lacks something, or contradicts itself.
    """

    idempotent = False

    def __init__(self, name: str, config: SmtpConfig, outfit: Outfit) -> None:
        self.name = name
        self._config = config
        self._outfit = outfit
        self._pool = SmtpPool(
            name,
            server_of(name, config),
            login_of(name, config, outfit.session),
            size=config.connections,
            seconds=config.seconds,
        )

    def takes(self, target: str) -> bool:  # noqa: ARG002 - a mail server has the whole world
        """Every address: the server's own routing decides."""
        return True

    async def send(self, parcel: EmailParcel, before_body: BeforeBody) -> Answer:
        """Try once; on a new connection if a kept one was over before it was used."""
        outfit, to = self._outfit, parcel.target
        try:
            sender = speakable(outfit.return_path.of(parcel.message.notification_id, to))
            recipients = [speakable(address) for address in addresses(parcel)]
        except ValueError as error:
            words = f"An address cannot be written in SMTP (RFC 5321, RFC 5891): {error}"
            return Refused(self.name, ErrorOwner.RECIPIENT, _words(words))
        try:
            content = await built(parcel, outfit.mime.build)
            mail = _Mail(sender, recipients, content, parcel.message.priority)
        except ValueError as error:
            return Refused(self.name, ErrorOwner.CONTENT, _words(f"The email cannot be written: {error}"))
        return await self._try(mail, before_body)

    async def ping(self) -> None:
        """Raise SmtpError unless the server lets us in."""
        async with self._pool.connection(Priority.NORMAL) as kept:
            await kept.session.reset()

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._pool.close()

    async def _try(self, mail: _Mail, before_body: BeforeBody) -> Answer:
        try:
            try:
                return await self._hand_over(mail, before_body, fresh=False)
            except _StaleConnection:
                return await self._hand_over(mail, before_body, fresh=True)
        except ReplyRefused as refused:
            return self._refused(refused.reply, refused.stage)
        except ConversationLost as lost:
            owner = ErrorOwner.AMBIGUOUS if lost.stage is Stage.BODY else ErrorOwner.OUTAGE
            return Refused(self.name, owner, _words(lost))
        except OperatorNeeded as error:
            return Refused(self.name, ErrorOwner.CREDENTIAL, _words(error))

    async def _hand_over(self, mail: _Mail, before_body: BeforeBody, *, fresh: bool) -> Answer:
        async with self._pool.connection(mail.lane, fresh=fresh) as kept:
            obstacle = mail.obstacle(kept.session)
            if obstacle:
                return Refused(self.name, ErrorOwner.CONTENT, obstacle)
            replies = await self._announce(mail, kept)
            if not replies[0].positive:
                return self._refused(replies[0], Stage.RECIPIENT)
            await before_body()
            answer = await kept.session.body(mail.content, self._config.data_seconds)
            kept.clean = True
        return Taken(provider=self.name, detail=_told(answer, mail.recipients, replies), at=now())

    async def _announce(self, mail: _Mail, kept: Kept) -> list[Reply]:
        kept.clean = False
        try:
            return await kept.session.envelope(mail.sender, mail.recipients, len(mail.content))
        except (ReplyRefused, ConversationLost) as error:
            over = isinstance(error, ConversationLost) or error.reply.code == CLOSING
            if over and error.stage is Stage.MAIL and not kept.fresh:
                raise _StaleConnection from error
            raise

    def _refused(self, reply: Reply, stage: Stage) -> Refused:
        code, text = reply.code, reply.text
        owner = owner_of_reply(code, text, stage)
        throttle = owner is ErrorOwner.THROTTLE
        return Refused(
            self.name,
            owner,
            _words(reply),
            retry_after=wait_asked_for(code, text),
            dead=owner is ErrorOwner.RECIPIENT and names_dead_mailbox(code, text),
            provider_wide=not (throttle and speaks_of_one_mailbox(code, text, stage)),
        )


def _told(answer: Reply, recipients: list[str], replies: list[Reply]) -> str:
    """The server's words, and which copies it refused."""
    copies = zip(recipients[1:], replies[1:], strict=True)
    left_out = [f"{address} ({reply})" for address, reply in copies if not reply.positive]
    if not left_out:
        return _words(answer)
    kinds = f"{len(left_out)} of {len(recipients)} recipients left out"
    return _words(mask_address(f"{answer}; {kinds}: {', '.join(left_out)}"))


def _words(said: Reply | SmtpError | str) -> str:
    return _CONTROLS.sub(" ", str(said))[:MAX_WORDS]

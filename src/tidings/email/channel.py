"""Email as the pipeline sees it."""

from collections.abc import Mapping, Sequence

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Contact, SuppressionReason
from tidings.delivery.directory import service_down
from tidings.delivery.outcome import Failed, Outcome, Refused, Retry
from tidings.email.attachments import Attachments
from tidings.email.letter import EmailParcel, EmailProvider, Letter
from tidings.email.sandbox import is_magic
from tidings.rendering import Renderer


class EmailChannel:
    """One address per person."""

    name = Channel.EMAIL
    no_target = Reason.NO_EMAIL_ADDRESS

    def __init__(
        self,
        renderer: Renderer,
        providers: Sequence[EmailProvider],
        sandbox: EmailProvider,
        attachments: Attachments,
        users: UsersClient,
    ) -> None:
        self._renderer = renderer
        self._attachments = attachments
        self._users = users
        self.providers = providers
        self.sandbox = sandbox

    def targets(self, contact: Contact) -> Sequence[tuple[str, str]]:
        """The person's address. Its ledger key is fixed: a corrected address is still the same send."""
        return [("email", contact.email)] if contact.email else []

    def left_out(self, _contact: Contact) -> Mapping[str, Failed]:
        """Nothing: any provider reaches any address."""
        return {}

    async def taken(self, _parcels: Mapping[str, EmailParcel], _outcomes: Mapping[str, Outcome]) -> None:
        """Nothing to do: providers tell by themselves what becomes of an email."""

    def is_magic(self, target: str) -> bool:
        """Whether the address is one of the sandbox's."""
        return is_magic(target)

    async def compose(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> Letter | Failed | Retry | None:
        """The email in the language asked for, else the person's, else the template's, with its files."""
        locales = (message.locale, contact.locale)
        email = self._renderer.email(template, message.variables, locales, provided)
        if email is None:
            return None
        if message.email is None:
            return Letter(email)
        files = await self._attachments.load(message.email)
        left_out = await self._left_out([*message.email.cc, *message.email.bcc])
        if not isinstance(files, tuple):
            return files
        return left_out if isinstance(left_out, Retry) else Letter(email, files, left_out)

    async def recipient_refused(self, parcel: EmailParcel, refused: Refused) -> None:
        """Put the address on the suppression list, if the server is sure that it is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        if refused.dead:
            source = f"{refused.provider}: {refused.detail}"
            await self._users.suppress(
                email=parcel.target, reason=SuppressionReason.HARD_BOUNCE, source=source
            )

    async def _left_out(self, copies: Sequence[str]) -> frozenset[str] | Retry:
        """The copies that nobody gets: what is on the suppression list, and the sandbox's addresses."""
        if not copies:
            return frozenset()
        try:
            suppressed = await self._users.suppressed(copies)
        except (RemoteUnavailable, RemoteProblem) as error:
            return service_down("users", error)
        return suppressed | frozenset(filter(is_magic, copies))

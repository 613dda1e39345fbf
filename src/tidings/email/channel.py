"""Email as the pipeline sees it."""

from collections.abc import Mapping, Sequence

from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate, RenderedEmail
from tidings.contracts.users import Contact, SuppressionReason
from tidings.delivery.channel import Parcel
from tidings.delivery.outcome import Refused
from tidings.email.providers import EmailProvider
from tidings.rendering import Renderer


class EmailChannel:
    """One address per person."""

    name = Channel.EMAIL
    no_target = Reason.NO_EMAIL_ADDRESS

    def __init__(self, renderer: Renderer, provider: EmailProvider, users: UsersClient) -> None:
        self._renderer = renderer
        self._users = users
        self.provider = provider

    def targets(self, contact: Contact) -> Sequence[tuple[str, str]]:
        """The person's address. Its ledger key is fixed: a corrected address is still the same send."""
        return [("email", contact.email)] if contact.email else []

    def render(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> RenderedEmail | None:
        """The email in the language asked for, else the person's, else the template's."""
        locales = (message.locale, contact.locale)
        return self._renderer.email(template, message.variables, locales, provided)

    async def recipient_refused(self, parcel: Parcel[RenderedEmail, str], refused: Refused) -> None:
        """Put the address on the suppression list, if the server is sure that it is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        if refused.dead:
            source = f"{refused.provider}: {refused.detail}"
            await self._users.suppress(
                email=parcel.target, reason=SuppressionReason.HARD_BOUNCE, source=source
            )

"""Email as the pipeline sees it."""

from collections.abc import Sequence

from tidings.contracts.codes import Channel, Reason
from tidings.contracts.http import Contact, RenderedEmail, Template
from tidings.contracts.messages import DeliveryMessage
from tidings.delivery.channel import Parcel
from tidings.delivery.outcome import Refused
from tidings.email.providers import EmailProvider
from tidings.rendering import Renderer


class EmailChannel:
    """One address per person."""

    name = Channel.EMAIL
    no_target = Reason.NO_EMAIL_ADDRESS

    def __init__(self, renderer: Renderer, provider: EmailProvider) -> None:
        self._renderer = renderer
        self.provider = provider

    def wanted_by(self, contact: Contact) -> bool:
        """Whether the person has email switched on."""
        return contact.preferences.email

    def targets(self, contact: Contact) -> Sequence[tuple[str, str]]:
        """The person's address. Its ledger key is fixed: a corrected address is still the same send."""
        return [("email", contact.email)] if contact.email else []

    def render(self, template: Template, message: DeliveryMessage, contact: Contact) -> RenderedEmail | None:
        """The email in the language asked for, else the person's, else the template's."""
        return self._renderer.email(template, message.variables, (message.locale, contact.locale))

    async def recipient_refused(self, parcel: Parcel[RenderedEmail, str], refused: Refused) -> None:
        """Nothing to remove: the refusal stands in the timeline."""

"""Push as the pipeline sees it."""

from collections.abc import Sequence

import structlog

from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.http import Contact, PushToken, RenderedPush, Template
from tidings.contracts.messages import DeliveryMessage
from tidings.delivery.channel import Parcel
from tidings.delivery.outcome import Refused
from tidings.push.providers import PushProvider
from tidings.rendering import Renderer

log = structlog.get_logger(__name__)


class PushChannel:
    """All of a person's devices; dead ones are deregistered."""

    name = Channel.PUSH
    no_target = Reason.NO_PUSH_TOKEN

    def __init__(self, renderer: Renderer, provider: PushProvider, users: UsersClient) -> None:
        self._renderer = renderer
        self._users = users
        self.provider = provider

    def wanted_by(self, contact: Contact) -> bool:
        """Whether the person has push switched on."""
        return contact.preferences.push

    def targets(self, contact: Contact) -> Sequence[tuple[str, PushToken]]:
        """The devices that this provider reaches, by the id of their registration."""
        return [(str(token.id), token) for token in contact.tokens if token.provider == self.provider.name]

    def render(self, template: Template, message: DeliveryMessage, contact: Contact) -> RenderedPush | None:
        """The notification in the language asked for, else the person's, else the template's."""
        return self._renderer.push(template, message.variables, (message.locale, contact.locale))

    async def recipient_refused(self, parcel: Parcel[RenderedPush, PushToken], refused: Refused) -> None:
        """Deregister the device: the provider said that its token is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        await self._users.remove_token(parcel.contact.user_id, parcel.target.id, reason=refused.detail[:200])
        log.info("token_removed", token_id=str(parcel.target.id))

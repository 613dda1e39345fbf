"""Push as the pipeline sees it."""

from collections.abc import Mapping, Sequence

import structlog

from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate, RenderedPush
from tidings.contracts.users import Contact, PushToken
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

    def targets(self, contact: Contact) -> Sequence[tuple[str, PushToken]]:
        """The devices that this provider reaches, by the id of their registration."""
        return [(str(token.id), token) for token in contact.tokens if token.provider == self.provider.name]

    def render(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> RenderedPush | None:
        """The notification in the language asked for, else the person's, else the template's."""
        locales = (message.locale, contact.locale)
        return self._renderer.push(template, message.variables, locales, provided)

    async def recipient_refused(self, parcel: Parcel[RenderedPush, PushToken], refused: Refused) -> None:
        """Deregister the device: the provider said that its token is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        await self._users.remove_token(parcel.contact.user_id, parcel.target.id, reason=refused.detail[:200])
        log.info("token_removed", token_id=str(parcel.target.id))

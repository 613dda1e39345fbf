"""Push as the pipeline sees it."""

from collections.abc import Mapping, Sequence

import structlog

from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate, RenderedPush
from tidings.contracts.users import Contact, PushToken
from tidings.delivery.outcome import Refused
from tidings.push.parcel import PushParcel, PushProvider
from tidings.push.sandbox import SandboxProvider, is_magic
from tidings.rendering import Renderer

log = structlog.get_logger(__name__)


class PushChannel:
    """All of a person's devices; dead ones are deregistered."""

    name = Channel.PUSH
    no_target = Reason.NO_PUSH_TOKEN

    def __init__(self, renderer: Renderer, providers: Sequence[PushProvider], users: UsersClient) -> None:
        self._renderer = renderer
        self._users = users
        self.providers = providers
        self.sandbox: PushProvider = SandboxProvider()

    def targets(self, contact: Contact) -> Sequence[tuple[str, PushToken]]:
        """The devices that any provider reaches, by the id of their registration."""
        return [(str(token.id), token) for token in contact.tokens if self._is_reached(token)]

    def is_magic(self, target: PushToken) -> bool:
        """Whether the device is one of the sandbox's."""
        return is_magic(target)

    async def compose(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> RenderedPush | None:
        """The notification in the language asked for, else the person's, else the template's."""
        locales = (message.locale, contact.locale)
        return self._renderer.push(template, message.variables, locales, provided)

    async def recipient_refused(self, parcel: PushParcel, refused: Refused) -> None:
        """Deregister the device, if the provider is sure that its token is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        if not refused.dead:
            return
        await self._users.remove_token(parcel.contact.user_id, parcel.target.id, reason=refused.detail[:200])
        log.info("token_removed", token_id=str(parcel.target.id), provider=refused.provider)

    def _is_reached(self, token: PushToken) -> bool:
        return is_magic(token) or any(provider.takes(token) for provider in self.providers)

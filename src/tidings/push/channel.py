"""Push as the pipeline sees it."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from tidings.client.users import UsersClient
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage, PushTicket, TakenPush
from tidings.contracts.templates import CompiledTemplate, RenderedPush
from tidings.contracts.users import Contact, PushToken
from tidings.delivery.outcome import Ambiguous, Failed, Outcome, Refused, Retry, Sent
from tidings.kit.broker.port import BrokerUnavailable
from tidings.push.parcel import PushParcel, PushProvider
from tidings.push.receipts.publishing import Tickets
from tidings.push.sandbox import SandboxProvider, is_magic
from tidings.rendering import Renderer

log = structlog.get_logger(__name__)


class PushChannel:
    """All of a person's devices; dead ones are deregistered.

    `remedy` says for a kind of provider what an operator has to set to have one.
    """

    name = Channel.PUSH
    no_target = Reason.NO_PUSH_TOKEN

    def __init__(
        self,
        renderer: Renderer,
        providers: Sequence[PushProvider],
        users: UsersClient,
        tickets: Tickets,
        remedy: Callable[[str], str],
    ) -> None:
        self._renderer = renderer
        self._users = users
        self._tickets = tickets
        self._remedy = remedy
        self.providers = providers
        self.sandbox: PushProvider = SandboxProvider()

    def targets(self, contact: Contact) -> Sequence[tuple[str, PushToken]]:
        """The devices that any provider reaches, by the id of their registration."""
        return [(str(token.id), token) for token in contact.tokens if self._is_reached(token)]

    def left_out(self, contact: Contact) -> Mapping[str, Failed]:
        """The devices that no provider reaches, since none of their kind is set up."""
        missing = {str(one.id): one.provider for one in contact.tokens if not self._is_reached(one)}
        return {device: self._no_provider(kind) for device, kind in missing.items()}

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

    async def taken(self, parcels: Mapping[str, PushParcel], outcomes: Mapping[str, Outcome]) -> None:
        """See to it that receipts are asked for, where the provider gives any."""
        tickets = [
            PushTicket(
                id=ref, provider=outcome.taken.provider, device_id=parcel.target.id, at=outcome.taken.at
            )
            for key, parcel in parcels.items()
            if isinstance(outcome := outcomes[key], Sent) and (ref := self._tickets.ticket(outcome.taken))
        ]
        if not tickets:
            return
        parcel = next(iter(parcels.values()))
        push = TakenPush(
            notification_id=parcel.message.notification_id,
            user_id=parcel.contact.user_id,
            tickets=tickets,
            devices=sum(isinstance(outcome, Sent | Retry | Ambiguous) for outcome in outcomes.values()),
        )
        try:
            await self._tickets.keep(push)
        except BrokerUnavailable as error:
            # The report of the send is on the same broker: unless it gets through, all of this comes again.
            log.warning("receipts_not_awaited", error=str(error))

    async def recipient_refused(self, parcel: PushParcel, refused: Refused) -> None:
        """Deregister the device, if the provider is sure that its token is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        if not refused.dead:
            return
        await self._users.remove_token(parcel.contact.user_id, parcel.target.id, reason=refused.detail[:200])
        log.info("token_removed", token_id=str(parcel.target.id), provider=refused.provider)

    def _no_provider(self, kind: str) -> Failed:
        words = f"No provider of the kind `{kind}` is set up: {self._remedy(kind)}"
        return Failed(Reason.NO_PUSH_PROVIDER, words, kind)

    def _is_reached(self, token: PushToken) -> bool:
        return is_magic(token) or any(provider.takes(token) for provider in self.providers)

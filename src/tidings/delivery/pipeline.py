"""From a message to an outcome: look up, contact, consent, template, compose, claim, send, record."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from tidings.client.http import RemoteUnavailable
from tidings.contracts.codes import ErrorOwner, Priority, Reason, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Category, Contact
from tidings.delivery import consent
from tidings.delivery.channel import Channel, Content, Parcel, Target
from tidings.delivery.claiming import AlreadyHandled, SendClaim, wait_for_ledger
from tidings.delivery.directory import Directory, service_down
from tidings.delivery.frequency import FrequencyCaps
from tidings.delivery.ledger import Ledger, LedgerUnavailable, Unsure
from tidings.delivery.links import RecipientLinks
from tidings.delivery.outcome import (
    Attempt,
    Expired,
    Failed,
    Held,
    Outcome,
    Refused,
    Retry,
    Sent,
    Suppressed,
    Taken,
)
from tidings.delivery.routing.chain import Chain
from tidings.delivery.verdicts import combine, outcome_of, parked
from tidings.kit.ids import now
from tidings.rendering import RenderError

History = Mapping[str, Taken | Unsure]


class Pipeline(Generic[Content, Target]):
    """Runs one channel's deliveries. It keeps nothing between messages but its collaborators.

    No more than `at_once` sends are under way of each priority, of all its messages together.
    """

    def __init__(
        self,
        channel: Channel[Content, Target],
        chain: Chain[Content, Target],
        directory: Directory,
        *,
        ledger: Ledger,
        caps: FrequencyCaps,
        links: RecipientLinks,
        at_once: Mapping[Priority, int],
    ) -> None:
        self._channel = channel
        self._chain = chain
        self._directory = directory
        self._ledger = ledger
        self._caps = caps
        self._links = links
        # Not begun, a send can neither time out while it waits for a connection, nor be left in doubt
        # when this process dies.
        self._sending = {lane: asyncio.Semaphore(places) for lane, places in at_once.items()}

    async def deliver(self, message: DeliveryMessage, *, first: bool) -> Attempt:
        """Try once. Unless it is the `first` time, an earlier delivery may have got anywhere."""
        history: History = {}
        if not first:
            try:
                history = await self._ledger.history(message.notification_id)
            except LedgerUnavailable as error:
                return Attempt(wait_for_ledger(error))
        attempt = await self._attempt(message, history, first=first)
        taken = next((known for known in history.values() if isinstance(known, Taken)), None)
        if taken is not None and not isinstance(attempt.outcome, Sent):
            return Attempt(Sent(taken, repeated=True))
        return attempt

    async def _attempt(self, message: DeliveryMessage, history: History, *, first: bool) -> Attempt:
        if message.expires_at is not None and message.expires_at <= now():
            return Attempt(Expired())
        composed = await self._compose(message)
        if not isinstance(composed, _Composed):
            return Attempt(composed)
        parcels = {
            key: Parcel(message, composed.contact, target, composed.content, composed.unsubscribe_url)
            for key, target in self._channel.targets(composed.contact)
        }
        if not parcels:
            words = f"The user has nothing that {self._channel.name} could be sent to"
            return Attempt(Failed(self._channel.no_target, words))
        if await self._is_capped(message, composed):
            return Attempt(
                Suppressed(Reason.FREQUENCY_CAPPED, "The user has got as many as they want for now")
            )
        outcomes = await self._send_all(parcels, composed.when_ambiguous, history, first=first)
        return Attempt(combine(list(outcomes.values())), outcomes if len(outcomes) > 1 else {})

    async def _compose(self, message: DeliveryMessage) -> "_Composed[Content] | Outcome":
        # The template is nearly always kept, so that waiting for both at once would cost more than it saves.
        contact = await self._directory.contact(message)
        if not isinstance(contact, Contact):
            return contact
        template = await self._directory.template(message)
        if not isinstance(template, CompiledTemplate):
            return template
        category = self._directory.category(template.category)
        refused = consent.refusal(message, contact, category, self._channel.name, now())
        if refused is not None:
            return refused
        provided = self._links.of(contact.user_id, category)
        content = await self._content(template, message, contact, provided)
        if isinstance(content, Failed | Retry):
            return content
        unsubscribe_url = None if category.required else provided["unsubscribe_url"]
        return _Composed(contact, category, content, unsubscribe_url, template.when_ambiguous)

    async def _content(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> Content | Failed | Retry:
        try:
            content = await self._channel.compose(template, message, contact, provided)
        except RenderError as error:
            return Failed(Reason.RENDER_FAILED, str(error))
        if content is None:
            words = f"Version {template.version} of {template.id} has no {self._channel.name} form"
            return Failed(Reason.TEMPLATE_LACKS_CHANNEL, words)
        return content

    async def _is_capped(self, message: DeliveryMessage, composed: "_Composed[Content]") -> bool:
        contact = composed.contact
        return not composed.category.required and not await self._caps.admits(
            contact.user_id,
            self._channel.name,
            message.notification_id,
            contact.preferences.frequency_caps,
        )

    async def _send_all(
        self,
        parcels: Mapping[str, Parcel[Content, Target]],
        when_ambiguous: WhenAmbiguous,
        history: History,
        *,
        first: bool,
    ) -> dict[str, Outcome]:
        async def send(key: str, parcel: Parcel[Content, Target]) -> Outcome:
            known = history.get(key)
            doubt = known.provider if isinstance(known, Unsure) else None
            claim = SendClaim(
                self._ledger, parcel.message, key, first=first, when_ambiguous=when_ambiguous, doubt=doubt
            )
            async with self._sending[parcel.message.priority]:
                return await self._send(parcel, claim, when_ambiguous, doubt)

        sent = {key: Sent(taken, repeated=True) for key, taken in history.items() if isinstance(taken, Taken)}
        left = {key: send(key, parcel) for key, parcel in parcels.items() if key not in sent}
        return {**dict(zip(left, await _all_of(left.values()), strict=True)), **sent}

    async def _send(
        self,
        parcel: Parcel[Content, Target],
        claim: SendClaim,
        when_ambiguous: WhenAmbiguous,
        doubt: str | None,
    ) -> Outcome:
        try:
            said = await self._chain.send(parcel, claim.take, when_ambiguous=when_ambiguous, prefer=doubt)
        except AlreadyHandled as stopped:
            return stopped.outcome
        except BaseException:  # a bug, or this process is stopping
            claim.abandon()
            raise
        answer = await claim.settle(said)
        if isinstance(answer, Taken):
            return Sent(answer)
        if isinstance(answer, Refused) and answer.owner is ErrorOwner.RECIPIENT:
            try:
                await self._channel.recipient_refused(parcel, answer)
            except RemoteUnavailable as error:
                # The provider will say the same again, and then the address can be taken note of.
                return service_down("users", error)
        return parked(answer) if isinstance(answer, Held) else outcome_of(answer, when_ambiguous)


async def _all_of(sends: Collection[Coroutine[Any, Any, Outcome]]) -> list[Outcome]:
    """Their results. One alone, as emails are, needs no task of its own."""
    return [await send for send in sends] if len(sends) == 1 else await asyncio.gather(*sends)


@dataclass(frozen=True, slots=True)
class _Composed(Generic[Content]):
    contact: Contact
    category: Category
    content: Content
    unsubscribe_url: str | None
    when_ambiguous: WhenAmbiguous

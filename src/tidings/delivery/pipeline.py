"""From a message to an outcome: look up, contact, consent, template, render, claim, send, record."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog
from msgspec import structs

from tidings.client.http import RemoteUnavailable
from tidings.contracts.codes import ErrorOwner, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Category, Contact
from tidings.delivery import consent
from tidings.delivery.channel import Channel, Content, Parcel, Target
from tidings.delivery.directory import Directory, service_down
from tidings.delivery.frequency import FrequencyCaps
from tidings.delivery.ledger import Claim, Ledger, LedgerUnavailable
from tidings.delivery.links import RecipientLinks
from tidings.delivery.outcome import (
    Ambiguous,
    Expired,
    Failed,
    Outcome,
    Refused,
    Retry,
    Sent,
    Suppressed,
    Taken,
)
from tidings.kit.ids import now
from tidings.rendering import RenderError

LEDGER_DOWN_SECONDS = 2.0
BUSY_SECONDS = 2.0
CREDENTIAL_SECONDS = 60.0
SENT_AGAIN = "sent again: an earlier worker died while sending, so it may have arrived before"

log = structlog.get_logger(__name__)


class _AlreadyHandled(Exception):
    """Stops a provider just before the body goes out."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Pipeline(Generic[Content, Target]):
    """Runs one channel's deliveries. It keeps nothing between messages but its collaborators."""

    def __init__(
        self,
        channel: Channel[Content, Target],
        directory: Directory,
        ledger: Ledger,
        caps: FrequencyCaps,
        links: RecipientLinks,
    ) -> None:
        self._channel = channel
        self._directory = directory
        self._ledger = ledger
        self._caps = caps
        self._links = links

    async def deliver(self, message: DeliveryMessage, *, redelivered: bool) -> Outcome:
        """Try once. `redelivered`: an earlier delivery may have got anywhere before its process died."""
        earlier: dict[str, Taken] = {}
        if redelivered:
            try:
                earlier = await self._ledger.sent(message.notification_id)
            except LedgerUnavailable as error:
                return _wait_for_ledger(error)
        outcome = await self._attempt(message, earlier, redelivered=redelivered)
        if earlier and not isinstance(outcome, Sent):
            return Sent(next(iter(earlier.values())), repeated=True)
        return outcome

    async def _attempt(
        self, message: DeliveryMessage, earlier: Mapping[str, Taken], *, redelivered: bool
    ) -> Outcome:
        if message.expires_at is not None and message.expires_at <= now():
            return Expired()
        composed = await self._compose(message)
        if not isinstance(composed, _Composed):
            return composed
        targets = self._channel.targets(composed.contact)
        if not targets:
            return Failed(
                self._channel.no_target, f"The user has nothing that {self._channel.name} could be sent to"
            )
        if await self._is_capped(message, composed):
            return Suppressed(Reason.FREQUENCY_CAPPED, "The user has got as many as they want for now")
        outcomes = await asyncio.gather(
            *(
                self._send(
                    key,
                    Parcel(message, composed.contact, target, composed.content),
                    redelivered=redelivered,
                )
                for key, target in targets
                if key not in earlier
            )
        )
        return combine([*outcomes, *(Sent(taken, repeated=True) for taken in earlier.values())])

    async def _compose(self, message: DeliveryMessage) -> "_Composed[Content] | Outcome":
        contact, template = await asyncio.gather(
            self._directory.contact(message), self._directory.template(message)
        )
        if not isinstance(contact, Contact):
            return contact
        if not isinstance(template, CompiledTemplate):
            return template
        category = self._directory.category(template.category)
        refused = consent.refusal(message, contact, category, self._channel.name, now())
        if refused is not None:
            return refused
        try:
            provided = self._links.of(contact.user_id, category)
            content = self._channel.render(template, message, contact, provided)
        except RenderError as error:
            return Failed(Reason.RENDER_FAILED, str(error))
        if content is None:
            words = f"Version {template.version} of {template.id} has no {self._channel.name} form"
            return Failed(Reason.TEMPLATE_LACKS_CHANNEL, words)
        return _Composed(contact, category, content)

    async def _is_capped(self, message: DeliveryMessage, composed: "_Composed[Content]") -> bool:
        contact = composed.contact
        return not composed.category.required and not await self._caps.admits(
            contact.user_id,
            self._channel.name,
            message.notification_id,
            contact.preferences.frequency_caps,
        )

    async def _send(self, key: str, parcel: Parcel[Content, Target], *, redelivered: bool) -> Outcome:
        notification_id = parcel.message.notification_id
        claim: Claim | None = None

        async def claim_now() -> None:
            nonlocal claim
            claim = await self._claim(parcel.message, key, redelivered=redelivered)

        try:
            answer = await self._channel.provider.send(parcel, claim_now)
        except _AlreadyHandled as stopped:
            return stopped.outcome
        except BaseException:  # a bug, or this process is stopping
            if claim is not None:
                self._ledger.abandon(notification_id, key)
            raise
        if isinstance(answer, Taken):
            if claim is Claim.ABANDONED:
                answer = structs.replace(answer, detail=f"{answer.detail} [{SENT_AGAIN}]")
            await self._ledger.record(notification_id, key, answer)
            return Sent(answer)
        if claim is not None:
            await self._ledger.release(notification_id, key)
        return await self._conclude(parcel, answer)

    async def _claim(self, message: DeliveryMessage, key: str, *, redelivered: bool) -> Claim | None:
        """The claim we hold; None without Redis, where first deliveries go on unclaimed."""
        try:
            claim = await self._ledger.claim(message.notification_id, key)
        except LedgerUnavailable as error:
            if redelivered:
                raise _AlreadyHandled(_wait_for_ledger(error)) from error
            log.warning("sending_unclaimed", error=str(error))
            return None
        if isinstance(claim, Taken):
            raise _AlreadyHandled(Sent(claim, repeated=True))
        if claim is Claim.BUSY:
            words = "Another worker is sending it"
            raise _AlreadyHandled(Retry(Reason.OUTCOME_UNKNOWN, words, after=BUSY_SECONDS, counted=False))
        if claim is Claim.ABANDONED:
            log.warning("sending_again_after_crash")
        return claim

    async def _conclude(self, parcel: Parcel[Content, Target], refused: Refused) -> Outcome:
        if refused.owner is ErrorOwner.RECIPIENT:
            try:
                await self._channel.recipient_refused(parcel, refused)
            except RemoteUnavailable as error:
                # The provider will say the same again, and then the address can be taken note of.
                return service_down("users", error)
        return _outcome_of(refused)


@dataclass(frozen=True, slots=True)
class _Composed(Generic[Content]):
    contact: Contact
    category: Category
    content: Content


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for several targets: the best news wins, and of two waits the longer."""
    ranked = (Sent, Ambiguous, Retry, Suppressed, Expired, Failed)
    best = min(outcomes, key=lambda outcome: ranked.index(type(outcome)))
    if isinstance(best, Retry):
        waits = [outcome for outcome in outcomes if isinstance(outcome, Retry)]
        return max(waits, key=lambda wait: wait.after or 0)
    return best


def _wait_for_ledger(error: LedgerUnavailable) -> Retry:
    detail = f"The delivery ledger does not answer, and this message was handed out before: {error}"
    return Retry(Reason.SERVICE_UNAVAILABLE, detail, after=LEDGER_DOWN_SECONDS, counted=False)


def _outcome_of(refused: Refused) -> Outcome:
    provider, detail = refused.provider, refused.detail
    match refused.owner:
        case ErrorOwner.RECIPIENT:
            return Failed(Reason.RECIPIENT_REFUSED, detail, provider)
        case ErrorOwner.CONTENT:
            return Failed(Reason.CONTENT_REFUSED, detail, provider)
        case ErrorOwner.CREDENTIAL:
            after = refused.retry_after or CREDENTIAL_SECONDS
            return Retry(Reason.CREDENTIAL_REFUSED, detail, provider, after=after, counted=False)
        case ErrorOwner.THROTTLE:
            return Retry(Reason.PROVIDER_THROTTLED, detail, provider, after=refused.retry_after)
        case ErrorOwner.OUTAGE:
            return Retry(Reason.PROVIDER_UNAVAILABLE, detail, provider, after=refused.retry_after)
        case ErrorOwner.AMBIGUOUS:
            return Ambiguous(detail, provider)

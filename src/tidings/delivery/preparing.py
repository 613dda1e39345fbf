"""All that is decided about a message before it goes to providers: the same for a send and a rehearsal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tidings.contracts.codes import Reason, Step, Verdict, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.tracing import Trace
from tidings.contracts.users import Category, Contact
from tidings.delivery import consent
from tidings.delivery.channel import Channel, Content, Parcel, Target
from tidings.delivery.directory import Directory
from tidings.delivery.frequency import FrequencyCaps
from tidings.delivery.links import RecipientLinks
from tidings.delivery.outcome import Expired, Failed, Outcome, Retry, Suppressed
from tidings.kit.moments import written
from tidings.rendering import RenderError

_CAP_WORDS = {Verdict.SKIPPED: "the person has set none", Verdict.UNKNOWN: "Redis does not answer"}

Ending = TypeVar("Ending", bound=Failed | Retry)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[Content, Target]):
    """What is to be sent, by the key of each address or device; at least one.

    `left_out` are those that none of the providers is for.
    """

    parcels: Mapping[str, Parcel[Content, Target]]
    when_ambiguous: WhenAmbiguous
    left_out: Mapping[str, Failed]


class Preparation(Generic[Content, Target]):
    """Expiry, contact, template, consent, composition, address and frequency caps, in this order."""

    def __init__(
        self,
        channel: Channel[Content, Target],
        directory: Directory,
        caps: FrequencyCaps,
        links: RecipientLinks,
    ) -> None:
        self._channel = channel
        self._directory = directory
        self._caps = caps
        self._links = links

    async def prepare(
        self, message: DeliveryMessage, trace: Trace, *, at: datetime, counts: bool = True
    ) -> Prepared[Content, Target] | Outcome:
        """What to send, or why nothing may be sent `at` that time. Caps count it, unless told not to."""
        if message.expires_at is not None and message.expires_at <= at:
            trace.note(Step.EXPIRY, Verdict.STOPPED, f"at {written(message.expires_at)}")
            return Expired()
        found = await self._found(message, trace)
        if not isinstance(found, tuple):
            return found
        contact, template = found
        category = self._directory.category(template.category)
        refused = consent.refusal(message, contact, category, self._channel.name, at, trace=trace)
        if refused is not None:
            return refused
        parcels = await self._parcels(message, contact, template, category, trace)
        if not isinstance(parcels, dict):
            return parcels
        if await self._is_capped(message, contact, category, trace, at=at, counts=counts):
            words = "The user has got as many as they want for now"
            return Suppressed(Reason.FREQUENCY_CAPPED, words)
        return Prepared(parcels, template.when_ambiguous, self._channel.left_out(contact))

    async def _found(
        self, message: DeliveryMessage, trace: Trace
    ) -> tuple[Contact, CompiledTemplate] | Failed | Retry:
        # The template is nearly always kept, so that waiting for both at once would cost more than it saves.
        contact = await self._directory.contact(message)
        if not isinstance(contact, Contact):
            return _noted(trace, Step.CONTACT, contact)
        trace.note(Step.CONTACT, Verdict.PASSED)
        template = await self._directory.template(message)
        if not isinstance(template, CompiledTemplate):
            return _noted(trace, Step.TEMPLATE, template)
        trace.note(Step.TEMPLATE, Verdict.PASSED, f"{template.id}, version {template.version}")
        return contact, template

    async def _parcels(
        self,
        message: DeliveryMessage,
        contact: Contact,
        template: CompiledTemplate,
        category: Category,
        trace: Trace,
    ) -> dict[str, Parcel[Content, Target]] | Failed | Retry:
        provided = self._links.of(contact.user_id, category)
        content = await self._content(template, message, contact, provided)
        if isinstance(content, Failed | Retry):
            return _noted(trace, Step.RENDER, content)
        trace.note(Step.RENDER, Verdict.PASSED)
        link = None if category.required else provided["unsubscribe_url"]
        parcels = {
            key: Parcel(message, contact, target, content, link)
            for key, target in self._channel.targets(contact)
        }
        left_out = list(dict.fromkeys(self._channel.left_out(contact).values()))
        for one in left_out:
            trace.note(Step.ADDRESS, Verdict.SKIPPED, one.detail)
        if not parcels:
            return _noted(trace, Step.ADDRESS, self._no_target(left_out))
        trace.note(Step.ADDRESS, Verdict.PASSED, f"{len(parcels)} devices" if len(parcels) > 1 else None)
        return parcels

    def _no_target(self, left_out: Sequence[Failed]) -> Failed:
        if not left_out:
            words = f"The user has nothing that {self._channel.name} could be sent to"
            return Failed(self._channel.no_target, words)
        providers = {one.provider for one in left_out}
        words = "; ".join(one.detail for one in left_out)
        return Failed(left_out[0].reason, words, providers.pop() if len(providers) == 1 else None)

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

    async def _is_capped(
        self,
        message: DeliveryMessage,
        contact: Contact,
        category: Category,
        trace: Trace,
        *,
        at: datetime,
        counts: bool,
    ) -> bool:
        if category.required:
            trace.note(Step.FREQUENCY_CAP, Verdict.SKIPPED, consent.REQUIRED)
            return False
        verdict = await self._caps.verdict(
            contact.user_id,
            self._channel.name,
            message.notification_id,
            contact.preferences.frequency_caps,
            at=at,
            counts=counts,
        )
        trace.note(Step.FREQUENCY_CAP, verdict, _CAP_WORDS.get(verdict))
        return verdict is Verdict.STOPPED


def _noted(trace: Trace, step: Step, ending: Ending) -> Ending:
    """The ending, once it stands in the trace; without its words, which may quote a variable."""
    verdict = Verdict.WAITS if isinstance(ending, Retry) else Verdict.STOPPED
    trace.note(step, verdict, ending.reason)
    return ending

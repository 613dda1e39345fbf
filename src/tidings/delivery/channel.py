"""What a channel adds to the pipeline: whom to send to, what to send, and its ways out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tidings.contracts.codes import Channel as ChannelName
from tidings.contracts.codes import Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Contact
from tidings.delivery.outcome import Answer, Failed, Outcome, Refused, Retry

Content = TypeVar("Content")
Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Parcel(Generic[Content, Target]):
    """One composed message for one address or device.

    `unsubscribe_url` is the link for one-click unsubscribing (RFC 8058); None where the category
    cannot be switched off.
    """

    message: DeliveryMessage
    contact: Contact
    target: Target
    content: Content
    unsubscribe_url: str | None = None


BeforeBody = Callable[[], Awaitable[None]]
"""Awaited by a provider just before the first byte that could be delivered leaves the process."""


class Provider(Protocol[Content, Target]):
    """A way out. One file each, and one line in the channel's registry."""

    @property
    def name(self) -> str:
        """The provider's name in the providers file, as it stands in timelines and metrics."""

    @property
    def idempotent(self) -> bool:
        """Whether a repeated send with the same notification id is folded by the provider itself."""

    def takes(self, target: Target) -> bool:
        """Whether it can reach this address or device at all."""

    async def send(self, parcel: Parcel[Content, Target], before_body: BeforeBody) -> Answer:
        """Try once. Every failure comes back as `Refused`; only bugs raise."""

    async def ping(self) -> None:
        """Raise unless the provider can be reached."""

    async def close(self) -> None:
        """Give back connections."""


class Channel(Protocol[Content, Target]):
    """Email or push, as the pipeline sees it."""

    @property
    def name(self) -> ChannelName:
        """Which channel this is."""

    @property
    def no_target(self) -> Reason:
        """Why a person without an address or device fails."""

    @property
    def providers(self) -> Sequence[Provider[Content, Target]]:
        """The ways out, in the providers file's order."""

    @property
    def sandbox(self) -> Provider[Content, Target]:
        """The way that leads nowhere: for test keys and magic recipients."""

    def targets(self, contact: Contact) -> Sequence[tuple[str, Target]]:
        """The person's addresses or devices, each with a key that stays the same over retries."""

    def is_magic(self, target: Target) -> bool:
        """Whether this address or device is one of the sandbox's."""

    async def compose(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> Content | Failed | Retry | None:
        """The message in the person's language; None when the template has no form for this channel.

        `provided` are values of the platform's own, such as the link to unsubscribe.

        Raises:
            RenderError: the variables do not fit the template.
        """

    def left_out(self, contact: Contact) -> Mapping[str, Failed]:
        """The addresses or devices that none of the providers is for, by their keys, each with why."""

    async def taken(
        self, parcels: Mapping[str, Parcel[Content, Target]], outcomes: Mapping[str, Outcome]
    ) -> None:
        """Take note of what providers took, by the keys of one attempt. It may be told twice."""

    async def recipient_refused(self, parcel: Parcel[Content, Target], refused: Refused) -> None:
        """Take note that the address or device is dead.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """

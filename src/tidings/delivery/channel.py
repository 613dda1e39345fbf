"""What a channel adds to the pipeline: whom to send to, what to send, and a provider."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tidings.contracts.codes import Channel as ChannelName
from tidings.contracts.codes import Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Contact
from tidings.delivery.outcome import Answer, Refused

Content = TypeVar("Content")
Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Parcel(Generic[Content, Target]):
    """One rendered message for one address or device."""

    message: DeliveryMessage
    contact: Contact
    target: Target
    content: Content


BeforeBody = Callable[[], Awaitable[None]]
"""Awaited by a provider just before the first byte that could be delivered leaves the process."""


class Provider(Protocol[Content, Target]):
    """A way out. One file each, and one line in the channel's registry."""

    @property
    def name(self) -> str:
        """The provider's name, as it stands in timelines and metrics."""

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
    def provider(self) -> Provider[Content, Target]:
        """The way out."""

    def targets(self, contact: Contact) -> Sequence[tuple[str, Target]]:
        """The person's addresses or devices, each with a key that stays the same over retries."""

    def render(
        self,
        template: CompiledTemplate,
        message: DeliveryMessage,
        contact: Contact,
        provided: Mapping[str, str],
    ) -> Content | None:
        """The message in the person's language; None when the template has no form for this channel.

        `provided` are values of the platform's own, such as the link to unsubscribe.

        Raises:
            RenderError: the variables do not fit the template.
        """

    async def recipient_refused(self, parcel: Parcel[Content, Target], refused: Refused) -> None:
        """Take note that the address or device is dead."""

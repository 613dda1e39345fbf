"""A dry run: emails are printed, and go nowhere."""

import sys
from collections.abc import Iterator

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.letter import EmailParcel, parts_of
from tidings.email.providers.addressing import (
    Unaddressable,
    further_headers,
    own_message_id,
    recipients,
    subject_of,
)
from tidings.email.providers.configs import ConsoleConfig
from tidings.email.providers.outfit import Outfit
from tidings.kit.ids import now


class ConsoleProvider:
    """Prints headers, text and the names of files to standard output; the html where there is no text."""

    idempotent = False

    def __init__(self, name: str, _config: ConsoleConfig, outfit: Outfit) -> None:
        self.name = name
        self._sender = outfit.sender

    def takes(self, target: str) -> bool:  # noqa: ARG002 - all are printed alike
        """Any address."""
        return True

    async def send(self, parcel: EmailParcel, before_body: BeforeBody) -> Answer:
        """Print it."""
        try:
            printed = "\n".join(self._lines(parcel))
        except Unaddressable as error:
            return Refused(self.name, ErrorOwner.RECIPIENT, str(error))
        except ValueError as error:
            return Refused(self.name, ErrorOwner.CONTENT, str(error))
        await before_body()
        sys.stdout.write(f"{printed}\n\n")
        sys.stdout.flush()
        return Taken(provider=self.name, detail="Printed, not sent", at=now())

    async def ping(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Nothing to give back."""

    def _lines(self, parcel: EmailParcel) -> Iterator[str]:
        whom, email = recipients(parcel), parcel.content.email
        headers = {
            "From": self._sender,
            "To": str(whom.to),
            "Cc": ", ".join(whom.cc),
            "Bcc": ", ".join(whom.bcc),
            "Reply-To": parts_of(parcel).reply_to or "",
            "Subject": subject_of(parcel),
            **further_headers(parcel),
            **own_message_id(parcel, self._sender),
        }
        yield from (f"{name}: {value}" for name, value in headers.items() if value)
        yield f"\n{email.text or email.html or ''}"
        for file in parcel.content.files:
            yield f"[{file.filename}: {file.content_type}, {len(file.content)} bytes]"

"""The files of an email, brought together before it is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from uuid import UUID

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.contracts.codes import Reason
from tidings.contracts.messages import Attachment, EmailParts
from tidings.delivery.outcome import Failed, Retry
from tidings.email.letter import File
from tidings.kit.outbound import Fetched, ForbiddenAddress, Outbound, TooLarge, Unreachable

LIMIT_BYTES: Final = 10 * 1024 * 1024
FETCH_SECONDS: Final = 20.0

FetchKept = Callable[[UUID], Awaitable[bytes]]
"""Gives the bytes of a file that the gateway keeps.

Raises:
    RemoteProblem: it keeps no such file.
    RemoteUnavailable: it does not answer.
"""

_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Attachments:
    """Loads what `EmailParts` names: kept files from the gateway, the others from where they are.

    All files of an email together have at most `limit_bytes`; each is fetched within 20 seconds.
    """

    def __init__(self, outbound: Outbound, fetch_kept: FetchKept, limit_bytes: int = LIMIT_BYTES) -> None:
        self._outbound = outbound
        self._fetch_kept = fetch_kept
        self._limit_bytes = limit_bytes

    async def load(self, parts: EmailParts) -> tuple[File, ...] | Failed | Retry:
        """The files in their order, all of them; or why the email cannot go, or not now."""
        loaded = await asyncio.gather(*map(self._load, parts.attachments))
        for kind in (Failed, Retry):  # what can never work needs no further try
            for outcome in loaded:
                if isinstance(outcome, kind):
                    return outcome
        files = tuple(file for file in loaded if isinstance(file, File))
        if sum(len(file.content) for file in files) > self._limit_bytes:
            words = f"The attachments have more than {self._limit_bytes} bytes together"
            return Failed(Reason.ATTACHMENT_REFUSED, words)
        return files

    async def _load(self, attachment: Attachment) -> File | Failed | Retry:
        if attachment.id is not None:
            return await self._load_kept(attachment, attachment.id)
        if attachment.url is not None:
            return await self._download(attachment, attachment.url)
        return _failed(attachment, "it has neither content nor a URL")

    async def _load_kept(self, attachment: Attachment, kept: UUID) -> File | Failed | Retry:
        try:
            return _file(attachment, await self._fetch_kept(kept))
        except RemoteProblem as error:
            return _failed(attachment, str(error))
        except RemoteUnavailable as error:
            # Our own service is down, which is no fault of the email's: it costs no attempt.
            words = f"The attachment {attachment.filename!r} waits for the gateway: {error}"
            return Retry(Reason.SERVICE_UNAVAILABLE, words, counted=False)

    async def _download(self, attachment: Attachment, url: str) -> File | Failed | Retry:
        try:
            fetched = await self._outbound.get(url, limit_bytes=self._limit_bytes, seconds=FETCH_SECONDS)
        except (ForbiddenAddress, TooLarge) as error:
            return _failed(attachment, str(error))
        except Unreachable as error:
            return _later(attachment, str(error))
        return _judged(attachment, fetched)


def _judged(attachment: Attachment, fetched: Fetched) -> File | Failed | Retry:
    if HTTPStatus.OK <= fetched.status < HTTPStatus.MULTIPLE_CHOICES:
        return _file(attachment, fetched.body)
    if fetched.status >= HTTPStatus.INTERNAL_SERVER_ERROR or fetched.status in _PASSING:
        return _later(attachment, f"its server answered {fetched.status}")
    if fetched.status < HTTPStatus.BAD_REQUEST:
        return _failed(attachment, f"its server answered {fetched.status}, and redirects are not followed")
    return _failed(attachment, f"its server answered {fetched.status}")


def _file(attachment: Attachment, content: bytes) -> File:
    return File(attachment.filename, attachment.content_type, content, attachment.content_id)


def _failed(attachment: Attachment, why: str) -> Failed:
    return Failed(Reason.ATTACHMENT_REFUSED, f"The attachment {attachment.filename!r} cannot be sent: {why}")


def _later(attachment: Attachment, why: str) -> Retry:
    return Retry(
        Reason.ATTACHMENT_REFUSED, f"The attachment {attachment.filename!r} was not to be had: {why}"
    )

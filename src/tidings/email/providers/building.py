"""Where emails are built: beside the event loop once they have large files."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from tidings.email.letter import EmailParcel

THREAD_FROM_BYTES: Final = 256 * 1024
"""Base64 and a signature over 10 MiB take a tenth of a second, which no other email shall wait for; a
thread costs less than what it saves from about here on."""

T = TypeVar("T")


async def built(parcel: EmailParcel, build: Callable[[EmailParcel], T]) -> T:
    """What `build` makes of the parcel, and raises; it may be called in another thread."""
    if sum(len(file.content) for file in parcel.content.files) < THREAD_FROM_BYTES:
        return build(parcel)
    return await asyncio.to_thread(build, parcel)

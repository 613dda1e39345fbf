"""What every email provider is given, whatever its kind."""

from dataclasses import dataclass

import aiohttp

from tidings.email.mime import MimeBuilder
from tidings.email.return_path import ReturnPath


@dataclass(frozen=True, slots=True)
class Outfit:
    """`sender` is the From of every email, with or without a name before the address."""

    sender: str
    mime: MimeBuilder
    return_path: ReturnPath
    session: aiohttp.ClientSession

"""Requests to addresses that users gave: only to the public Internet, and never for more than asked.

What is checked is what is connected to: names are resolved here, and the connection is made to the very
addresses that passed, so that a name which answers differently the second time (DNS rebinding) gains
nothing. Redirects are not followed, proxies and cookies not used.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tidings.kit.public_addresses import is_public

_CHUNK_BYTES: Final = 64 * 1024
_MAX_URL_CHARS: Final = 8_000


class ForbiddenAddress(Exception):
    """The URL is none that may be asked: another scheme, or a host that is not on the public Internet."""


class TooLarge(Exception):
    """The answer has more bytes than were asked for. It was not read to its end."""


class Unreachable(Exception):
    """No whole answer came: no such name, no connection, a bad certificate, or the time was up."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whatever its status. Redirects are answers too. Of an error the body may be cut short."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


class Outbound:
    """Asks addresses that users gave. Make one with `open_outbound`."""

    def __init__(self, session: aiohttp.ClientSession, allow: frozenset[str]) -> None:
        self._session = session
        self._allow = allow

    async def get(self, url: str, *, limit_bytes: int, seconds: float) -> Fetched:
        """GET, with at most `limit_bytes` of body (after decompression), within `seconds` in all.

        Raises:
            ForbiddenAddress, TooLarge, Unreachable: with words that name the host and say why.
        """
        return await self.request("GET", url, limit_bytes=limit_bytes, seconds=seconds)

    async def request(
        self,
        method: str,
        url: str,
        *,
        limit_bytes: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Fetched:
        """One request; the same limits as `get`.

        Raises:
            ForbiddenAddress, TooLarge, Unreachable: with words that name the host and say why.
        """
        parsed = checked_url(url, self._allow)
        where = _place(parsed)
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method,
                    parsed,
                    data=body,
                    headers={"Accept-Encoding": "identity", **(headers or {})},
                    allow_redirects=False,
                ) as answer,
            ):
                return await _read(answer, limit_bytes, where)
        except TimeoutError as error:
            raise Unreachable(f"{where} did not answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise Unreachable(f"{where} cannot be reached: {_why(error)}") from error


@asynccontextmanager
async def open_outbound(
    *,
    allow: frozenset[str] = frozenset(),
    connections: int = 50,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[Outbound]:
    """A client with at most `connections` at once.

    `allow` are exact `host:port` as URLs name them that may be asked wherever they lead: stand-ins on
    this machine. `resolver` looks names up, the system's unless given.
    """
    connector = aiohttp.TCPConnector(
        limit=connections,
        # A cached answer would be checked once; connections are kept open, so little is looked up twice.
        use_dns_cache=False,
        resolver=_CheckedResolver(resolver or aiohttp.ThreadedResolver(), allow),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield Outbound(session, allow)


def checked_url(url: str, allow: frozenset[str] = frozenset()) -> URL:
    """The URL, if its form alone does not forbid it; what its host's name leads to is not looked up.

    Raises:
        ForbiddenAddress: not http or https, no host, or an IP address that is not public.
    """
    if len(url) > _MAX_URL_CHARS:
        raise ForbiddenAddress(f"A URL has at most {_MAX_URL_CHARS} characters")
    try:
        parsed = URL(url)
        place = _place(parsed)
    except ValueError as error:
        raise ForbiddenAddress("The URL is malformed") from error
    if parsed.scheme not in {"http", "https"} or not parsed.raw_host:
        raise ForbiddenAddress("Only http:// and https:// URLs with a host can be asked")
    if place not in allow and _ends_in_number(parsed.raw_host) and not is_public(parsed.raw_host):
        raise ForbiddenAddress(f"{place} is not a public address")
    return parsed


class _CheckedResolver(AbstractResolver):
    """Answers with the public addresses of a name only. The connector connects to nothing else."""

    def __init__(self, resolver: AbstractResolver, allow: frozenset[str]) -> None:
        self._resolver = resolver
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if f"{host}:{port}" in self._allow:
            return found
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise ForbiddenAddress(f"{host}:{port} is not a public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


async def _read(answer: aiohttp.ClientResponse, limit_bytes: int, where: str) -> Fetched:
    failed = answer.status >= HTTPStatus.MULTIPLE_CHOICES
    too_large = TooLarge(f"{where} answered with more than {limit_bytes} bytes")
    if not failed and answer.content_length is not None and answer.content_length > limit_bytes:
        raise too_large
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit_bytes:
            if not failed:
                raise too_large
            del body[limit_bytes:]
            break
    return Fetched(answer.status, answer.content_type, bytes(body), answer.headers)


def _ends_in_number(host: str) -> bool:
    """Whether it is meant as an IP address (URL Standard, "ends in a number"): no name is."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or last.startswith("0x")


def _place(url: URL) -> str:
    host = f"[{url.raw_host}]" if url.raw_host and ":" in url.raw_host else url.raw_host
    return f"{host}:{url.port}"


def _why(error: Exception) -> str:
    """The kind of failure. An operating system's own words may name addresses behind a name."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionError):
        return "no connection could be made"
    return f"the answer broke off or is not HTTP ({type(error).__name__})"

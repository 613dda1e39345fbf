"""One HTTP request to a provider, and what its failure means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Refused
from tidings.kit.ids import now

MAX_REPLY_BYTES = 256 * 1024
MAX_WAIT_SECONDS = 24 * 3600.0
MAX_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer. Names of headers are in any case; a body beyond 256 KiB is cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def words(self) -> str:
        """The status and the beginning of the body, for people."""
        return f"HTTP {self.status} {self.body[:300].decode(errors='replace')}".rstrip()


async def post(
    provider: str,
    session: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
) -> Reply | Refused:
    """Post JSON. A failure before the request left is an outage; one after it is ambiguous."""
    # The connection has a limit of its own, so that a total that runs out can only mean a lost answer.
    timeout = aiohttp.ClientTimeout(total=seconds, connect=min(MAX_CONNECT_SECONDS, seconds / 2))
    sent = {"Content-Type": "application/json", **headers}
    try:
        async with session.post(
            url, data=body, headers=sent, timeout=timeout, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await _read(response))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Refused(provider, ErrorOwner.OUTAGE, f"{url} cannot be reached: {error!r}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Refused(provider, ErrorOwner.AMBIGUOUS, f"The answer was lost: {error!r}")


def refusal(provider: str, reply: Reply) -> Refused:
    """An error answer that says no more than its HTTP status."""
    return Refused(provider, owner_of(reply.status), reply.words, retry_after=retry_after(reply.headers))


def owner_of(status: int) -> ErrorOwner:
    """Who has to act on a status that is no success. A wrong address in the settings is as a wrong key."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorOwner.THROTTLE
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return ErrorOwner.OUTAGE
    if status < HTTPStatus.BAD_REQUEST or status in _CREDENTIAL:
        return ErrorOwner.CREDENTIAL
    return ErrorOwner.CONTENT


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that `Retry-After` asks for, in either of its forms (RFC 9110), a day at most.

    Zero, or a moment that has passed, says no more than that a retry makes sense: our own schedule
    decides when.
    """
    # Over HTTP/2 names are lower case, and not every mapping looks past that.
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if given.isascii() and given.isdigit():
        wait = float(given)
    else:
        try:
            until = parsedate_to_datetime(given)
        except ValueError:
            return None
        # A date whose zone is given as -0000 comes without one; HTTP dates are all in UTC.
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now()).total_seconds()
    return min(wait, MAX_WAIT_SECONDS) if wait > 0 else None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= MAX_REPLY_BYTES:
            break
    return bytes(body[:MAX_REPLY_BYTES])


_CREDENTIAL = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
}

"""What all providers with an HTTP API have in common: one request an email, and what becomes of it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, ClassVar

import aiohttp
import msgspec
from yarl import URL

import tidings
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.channel import BeforeBody
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.letter import EmailParcel
from tidings.email.providers.addressing import Unaddressable
from tidings.email.providers.building import built
from tidings.email.providers.http_errors import owner_of_status, wait_of
from tidings.kit.ids import now
from tidings.kit.settings import SettingsError

MAX_WORDS = 500
MAX_ANSWER_BYTES = 65_536
MAX_CONNECT_SECONDS = 10.0
JSON = {"Content-Type": "application/json", "Accept": "application/json"}

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete with its credentials, which is why it is not shown."""

    url: URL
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"

    def __repr__(self) -> str:
        """Only what is no secret."""
        return f"<{self.method} {self.url.path}>"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, with at most `MAX_ANSWER_BYTES` of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the email, and calls it `ref`."""

    ref: str | None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider does not have it; who owns the reason, and the provider's own words.

    `wait` is in seconds and wins over what the answer's headers say.
    """

    owner: ErrorOwner
    words: str
    dead: bool = False
    wait: float | None = None


class HttpProvider(ABC):
    """A provider with an HTTP API. A kind says how to ask and how to read the answer.

    A connection that cannot be made is an outage; once the request is on its way, silence is ambiguous.
    """

    idempotent: ClassVar[bool] = False

    def __init__(
        self, name: str, session: aiohttp.ClientSession, *, url: str, seconds: float, secrets: tuple[str, ...]
    ) -> None:
        self.name = name
        self._url = _base_url(name, url)
        self._session = session
        self._secrets = secrets
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds / 2, MAX_CONNECT_SECONDS))

    @abstractmethod
    def _request(self, parcel: EmailParcel) -> Request:
        """What sends this email. May be called in another thread.

        Raises:
            Unaddressable: nothing can send it to that address.
            ValueError: another address, or a header, cannot be used.
        """

    @abstractmethod
    def _judge(self, reply: Reply, parcel: EmailParcel) -> Accepted | Rejected | None:
        """What the answer means; None leaves it to its status."""

    @abstractmethod
    def _ping(self) -> Request:
        """The cheapest request that shows whether the provider is there and knows us."""

    def _known_by_ping(self, reply: Reply) -> bool:
        return HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES

    def takes(self, target: str) -> bool:
        """Whether what stands before the @ is ASCII: no such API documents more, SES and Postmark less."""
        return target.rpartition("@")[0].isascii()

    async def send(self, parcel: EmailParcel, before_body: BeforeBody) -> Answer:
        """Try once."""
        try:
            request = await built(parcel, self._request)
        except Unaddressable as error:
            return self._refused(ErrorOwner.RECIPIENT, str(error))
        except ValueError as error:
            return self._refused(ErrorOwner.CONTENT, str(error))
        await before_body()
        try:
            reply = await self._ask(request)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return self._refused(ErrorOwner.OUTAGE, f"No connection: {type(error).__name__}: {error}")
        except _NO_ANSWER as error:
            words = f"The request went out and no answer came: {type(error).__name__}: {error}"
            return self._refused(ErrorOwner.AMBIGUOUS, words)
        return self._answer(reply, self._judge(reply, parcel))

    async def ping(self) -> None:
        """Ask for something small that needs the credentials.

        Raises:
            ConnectionError: the provider cannot be reached, or does not know us; says which.
        """
        try:
            reply = await self._ask(self._ping())
        except _NO_ANSWER as error:
            raise ConnectionError(self._clean(f"No answer: {type(error).__name__}: {error}")) from error
        if not self._known_by_ping(reply):
            raise ConnectionError(self._clean(f"HTTP {reply.status}: {_text(reply.body)}"))

    async def close(self) -> None:  # noqa: B027 - no kind has anything to close
        """Nothing of its own: the session belongs to the service."""

    async def _ask(self, request: Request) -> Reply:
        headers = {"User-Agent": f"tidings/{tidings.__version__}", **request.headers}
        async with self._session.request(
            request.method,
            request.url,
            data=BytesIO(request.body) if request.body else None,  # aiohttp warns of large bytes
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,  # it would carry the key to another host
        ) as response:
            return Reply(response.status, response.headers, await _start_of_body(response))

    def _answer(self, reply: Reply, verdict: Accepted | Rejected | None) -> Answer:
        if isinstance(verdict, Accepted):
            words = self._clean(f"HTTP {reply.status} {verdict.words}".strip())
            ref = self._clean(verdict.ref) if verdict.ref else None
            return Taken(provider=self.name, provider_ref=ref, detail=words, at=now())
        if verdict is None:
            verdict = Rejected(owner_of_status(reply.status), _text(reply.body))
        wait = verdict.wait or wait_of(reply.headers, now())
        return self._refused(
            verdict.owner, f"HTTP {reply.status}: {verdict.words}", wait=wait, dead=verdict.dead
        )

    def _refused(
        self, owner: ErrorOwner, words: str, *, wait: float | None = None, dead: bool = False
    ) -> Refused:
        return Refused(self.name, owner, self._clean(words), retry_after=wait, dead=dead)

    def _clean(self, words: str) -> str:
        for secret in self._secrets:  # before the cut, which could leave half a secret standing
            words = words.replace(secret, "***")
        return _UNPRINTABLE.sub(" ", words)[:MAX_WORDS]


def in_json(body: bytes) -> dict[str, Any]:
    """The members of an answer that is a JSON object; of any other answer, none."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def text_of(members: Mapping[str, Any], name: str) -> str:
    """A member that ought to be text, as text."""
    return str(members.get(name) or "")


async def _start_of_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) >= MAX_ANSWER_BYTES:
                break
    except _NO_ANSWER:
        pass  # The status is there, and says more than that the rest is missing.
    return bytes(body[:MAX_ANSWER_BYTES])


def _text(body: bytes) -> str:
    return body.decode(errors="replace").strip() or "no further words"


def _base_url(name: str, url: str) -> URL:
    try:
        base = URL(url.rstrip("/"))
    except ValueError as error:
        raise SettingsError(f"The url of the provider `{name}` is malformed: {error}") from error
    if not base.host:
        raise SettingsError(f"The url of the provider `{name}` names no host: {url}")
    return base

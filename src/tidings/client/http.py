"""One HTTP connection to one service: time limits, retries of safe calls, a breaker, the ids that follow."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar

import aiohttp
import msgspec
import stamina

from tidings.kit.breaker import Breaker
from tidings.kit.errors import FieldFault, Problem
from tidings.kit.ids import new_id
from tidings.kit.telemetry import trace_headers

T = TypeVar("T")
Params = Mapping[str, str | Sequence[str]]
"""Query parameters; one with several values is repeated."""

BREAKER_FAILURES = 5
BREAKER_SECONDS = 5.0
STILL_RUNNING = "idempotency_in_progress"
"""The code of the one 409 that goes away by itself: an attempt that we gave up on is not done yet."""


class RemoteUnavailable(ConnectionError):
    """The service did not answer, or not in time, or said that it cannot now; a later try may succeed.

    `problem` is its own word, where it answered; `retry_after` is in seconds, where it asked for a wait.
    """

    def __init__(
        self, words: str, *, problem: Problem | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(words)
        self.problem = problem
        self.retry_after = retry_after


class RemoteProblem(Exception):
    """The service understood and refused. `problem` says why; the same call would be refused again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail} ({problem.code}, HTTP {problem.status})")
        self.problem = problem

    @property
    def code(self) -> str:
        """Why, for programs: one of the codes in docs/errors.md."""
        return self.problem.code

    @property
    def errors(self) -> list[FieldFault]:
        """Each field at fault, where fields are."""
        return self.problem.errors

    @property
    def correlation_id(self) -> str | None:
        """What finds the request in the services' logs."""
        return self.problem.correlation_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[T]) -> T:
        """The body as `kind`.

        Raises:
            RemoteUnavailable: it is none, so something else answers in the service's place.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteUnavailable(f"The answer is no {kind.__name__}: {error}") from error


class ServiceHttp:
    """Calls to one service, each within `seconds`. `credential` gives the bearer token of each call.

    A breaker opens after 5 failures in a row and then lets one probe through every `rest_seconds`,
    so that a dead service costs its callers nothing but the answer `RemoteUnavailable`.

    With `patience`, a repeated call waits as long as the service asks (`Retry-After`), and one that would
    have to wait for more seconds than that is not repeated. Without it the service is not asked when.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credential: Callable[[], str],
        *,
        seconds: float = 2.0,
        rest_seconds: float = BREAKER_SECONDS,
        patience: float | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._credential = credential
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._patience = patience
        self._breaker = Breaker(failures=BREAKER_FAILURES, seconds=rest_seconds)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        attempts: int = 1,
    ) -> Answer:
        """One call; more `attempts` only where repeating it changes nothing.

        Raises:
            RemoteProblem: refused (4xx).
            RemoteUnavailable: no answer, a 5xx, 429, or an earlier attempt is still being done.
        """
        content = None if body is None else msgspec.json.encode(body)
        async for attempt in stamina.retry_context(
            on=self._is_worth_repeating, attempts=attempts, wait_initial=0.05, wait_max=0.5, timeout=None
        ):
            with attempt:
                return await self._through_breaker(method, path, content, params, headers)
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    async def once(
        self, method: str, path: str, *, body: object = None, params: Params | None = None
    ) -> Answer:
        """One write of the gateway's own, tried three times under an idempotency key: it is done once.

        Not for what the gateway hands on: a service may have done what it was too slow to answer.
        """
        headers = {"Idempotency-Key": str(new_id())}
        return await self.call(method, path, body=body, params=params, headers=headers, attempts=3)

    async def read(self, kind: type[T], path: str, *, params: Params | None = None) -> T:
        """GET and decode; tried three times."""
        answer = await self.call("GET", path, params=params, attempts=3)
        return answer.read(kind)

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Params, headers: Mapping[str, str], silence: float
    ) -> AsyncIterator[AsyncIterable[bytes]]:
        """The lines of an answer that has no end, outside the breaker; `silence` seconds without any end it.

        Raises:
            RemoteProblem: refused (4xx).
            RemoteUnavailable: no answer, a 5xx, or 429; or the answer broke off.
        """
        try:
            async with self._session.get(
                self._base_url + path,
                params=params,
                headers={**self._own_headers(), **headers},
                timeout=aiohttp.ClientTimeout(total=None, connect=self._timeout.total, sock_read=silence),
                allow_redirects=False,
            ) as response:
                if response.status != HTTPStatus.OK:
                    answer = Answer(response.status, response.headers, await response.read())
                    _checked(answer, self._base_url)
                yield response.content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RemoteUnavailable(f"{self._base_url} does not answer: {error!r}") from error

    def _own_headers(self) -> dict[str, str]:
        return {**trace_headers(), "Authorization": f"Bearer {self._credential()}"}

    def _is_worth_repeating(self, error: Exception) -> bool | float:
        """Whether to repeat a call, or after how many seconds."""
        if not (isinstance(error, RemoteUnavailable) and self._breaker.closed):
            return False
        if self._patience is None or error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self._patience else False

    async def _through_breaker(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Params | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        if not self._breaker.admits():
            raise RemoteUnavailable(f"{self._base_url} failed repeatedly; it is given a rest")
        try:
            answer = await self._request(method, path, content, params, headers)
        except RemoteUnavailable as error:
            if error.problem is not None and error.problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._breaker.succeeded()  # it is the caller who overdoes it; the service is well
            else:
                self._breaker.failed()
            raise
        except RemoteProblem:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Params | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        sent = {"Content-Type": "application/json", **self._own_headers(), **(headers or {})}
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                data=None if content is None else BytesIO(content),  # aiohttp warns of large bytes
                params=params,
                headers=sent,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                answer = Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RemoteUnavailable(f"{self._base_url} does not answer: {error!r}") from error
        return _checked(answer, self._base_url)


def _checked(answer: Answer, url: str) -> Answer:
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer
    problem = problem_of(answer)
    passing = answer.status == HTTPStatus.TOO_MANY_REQUESTS or problem.code == STILL_RUNNING
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or passing:
        raise RemoteUnavailable(
            f"{url} answered {answer.status}: {problem.detail}",
            problem=problem,
            retry_after=_retry_after(answer),
        )
    raise RemoteProblem(problem)


def _retry_after(answer: Answer) -> float | None:
    """The wait that was asked for, where it is said in seconds, as all our services say it."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else None


def problem_of(answer: Answer) -> Problem:
    """The problem in an error answer, or one made up from its status where the body is none."""
    try:
        return msgspec.json.decode(answer.body, type=Problem)
    except msgspec.DecodeError:
        words = answer.body[:200].decode(errors="replace")
        return Problem(title="Error", status=answer.status, code="unknown", detail=words)


@asynccontextmanager
async def open_session(*, connections: int = 50) -> AsyncIterator[aiohttp.ClientSession]:
    """Kept connections for calls to other services."""
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=60)
    options: dict[str, Any] = {"auto_decompress": True, "trust_env": False}
    async with aiohttp.ClientSession(connector=connector, **options) as session:
        yield session

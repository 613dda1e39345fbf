"""Around the handlers: a key is claimed before one runs, and its answer is kept before it goes out."""

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter

from tidings.gateway.idempotency.answers import AnswerSeal, Draft
from tidings.gateway.idempotency.request_fingerprint import fingerprint_of
from tidings.gateway.idempotency.store import AnswerStore, Claim, Earlier
from tidings.kit.auth import Principal
from tidings.kit.errors import Conflict, Unavailable, Unprocessable

HAS_KEYS_OF_ITS_OWN = "has_keys_of_its_own"
"""An option of routes that make their requests safe to repeat themselves."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MAX_KEY_LENGTH = 255
MAX_BODY_BYTES = 2 * 1024 * 1024
"""A request with a key is read whole before it is done or passed on."""

_HEADER = b"idempotency-key"
_CLAIM = "idempotency_claim"

REPLAYED = Counter("tidings_answers_replayed_total", "Writes answered from an earlier one")

log = structlog.get_logger(__name__)


class Once:
    """Does a write with an `Idempotency-Key` once, and answers it the same again."""

    def __init__(self, store: AnswerStore, seal: AnswerSeal) -> None:
        self._store = store
        self._seal = seal
        self._held: set[Claim] = set()

    async def begin(self, request: Request[Principal | None, Any, Any]) -> Response[bytes] | None:
        """Claim the key of a request that has one; or else answer as it was answered before.

        Raises:
            Unprocessable: the key is none, was used for another request, or the body is too long for one.
            Conflict: the first request with this key is still running, or its answer is not there to give.
            Unavailable: the database does not answer; nothing was done.
        """
        caller = request.scope.get("user")
        if (
            caller is None
            or not _has_key(request.scope)
            or request.route_handler.opt.get(HAS_KEYS_OF_ITS_OWN)
        ):
            return None
        key = read_key(request.headers["idempotency-key"])
        scope = request.scope
        fingerprint = fingerprint_of(
            request.method, scope["raw_path"], scope["query_string"], await _body(request)
        )
        found = await self._store.claim(caller.owner, key, fingerprint)
        if isinstance(found, Claim):
            scope["state"][_CLAIM] = found
            self._held.add(found)
            return None
        return self._answer_again(caller.owner, key, fingerprint, found)

    def keep_answers(self, app: ASGIApp) -> ASGIApp:
        """Middleware: holds back the answer to a claimed request until it is kept."""

        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if not _has_key(scope):
                await app(scope, receive, send)
                return
            try:
                await app(scope, receive, self._keeping(scope, send))
            finally:
                self._held.discard(scope["state"].get(_CLAIM))

        return middleware

    async def renew_claims(self) -> None:
        """Let no key become free whose request still runs: to be done several times in each lease.

        What cannot be renewed goes on all the same.

        Raises:
            Unavailable: the database does not answer.
        """
        if self._held:
            await self._store.renew(tuple(self._held))

    def _answer_again(self, owner: str, key: str, fingerprint: bytes, earlier: Earlier) -> Response[bytes]:
        if earlier.fingerprint != fingerprint:
            hours = self._store.lifetime.total_seconds() / 3600
            raise Unprocessable(
                f"The key {key!r} was used for another request within the last {hours:g} hours. The same "
                "request has the same method, path, query and body; use a new key for a new one",
                code="idempotency_key_reused",
            )
        if earlier.sealed is None:
            raise Conflict(
                f"The first request with the key {key!r} is still running. Send it again after Retry-After; "
                f"if its gateway died, it is done anew after {self._store.lease.total_seconds():g} s",
                code="idempotency_in_progress",
                headers={"Retry-After": "1"},
            )
        answer = self._seal.open(owner, key, earlier.sealed)
        if answer is None or answer.body is None:
            why = "was too long to keep" if answer else "was sealed with another service secret"
            raise Conflict(
                f"The request with the key {key!r} was done before, and its answer {why}. Read what it made",
                code="answer_not_kept",
            )
        REPLAYED.inc()
        return answer.again()

    def _keeping(self, scope: Scope, send: Send) -> Send:
        draft: Draft | None = None
        passing = False

        async def keep_first(message: Message) -> None:
            nonlocal draft, passing
            claim: Claim | None = scope["state"].get(_CLAIM)
            if passing or claim is None:
                await send(message)
            elif message["type"] == "http.response.start":
                draft = Draft(message)
            elif message["type"] == "http.response.body" and draft is not None and draft.add(message):
                passing = True
                await self._settle(claim, draft)
                await send(draft.start)
                for part in draft.parts:
                    await send(part)

        return keep_first

    async def _settle(self, claim: Claim, draft: Draft) -> None:
        try:
            if draft.start["status"] < HTTPStatus.BAD_REQUEST:
                sealed = self._seal.close(claim.owner, claim.key, draft.kept())
                if not await self._store.keep(claim, sealed):
                    log.warning("answer_not_kept", error="Its lease ended and another request took its key")
            else:
                await self._store.release(claim)
        except Unavailable as error:
            # It was done, and the caller is to know; who repeats it hears that it runs, until the lease ends.
            log.warning("answer_not_kept", error=error.detail)


def _has_key(scope: Scope) -> bool:
    """Whether a request is a write with a key. The others cost this look and no more."""
    if scope["type"] != ScopeType.HTTP or scope["method"] not in WRITES:
        return False
    for name, _ in scope["headers"]:  # noqa: SIM110 - any() takes three times as long, for every write
        if name == _HEADER:
            return True
    return False


def read_key(header: str) -> str:
    """The key in an `Idempotency-Key` header.

    Raises:
        Unprocessable: it is too long, empty or not printable.
    """
    # The draft standard makes the key a quoted string; most clients send it bare.
    key = header.strip('"')
    if not (1 <= len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        words = f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable characters, such as a UUID"
        raise Unprocessable(words, code="invalid_request")
    return key


async def _body(request: Request[Any, Any, Any]) -> bytes:
    most = request.route_handler.resolve_request_max_body_size()
    if (most is None or most > MAX_BODY_BYTES) and _may_be_long(request):
        raise Unprocessable(
            f"A request with an Idempotency-Key says how long its body is, and that is at most "
            f"{MAX_BODY_BYTES:,} bytes (2 MiB). Send this one without the header: an import may be "
            "repeated, because a person whose external_id is known is updated",
            code="too_long_for_a_key",
        )
    return await request.body()


def _may_be_long(request: Request[Any, Any, Any]) -> bool:
    length = request.content_length
    return "transfer-encoding" in request.headers or (length is not None and length > MAX_BODY_BYTES)

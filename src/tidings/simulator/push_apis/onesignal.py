"""OneSignal's create-message, for pushes to subscriptions.

https://documentation.onesignal.com/reference/create-message and /reference/idempotent-notification-requests
"""

from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from msgspec import Meta

from tidings.kit.ids import now
from tidings.simulator.faults import OneSignalFault
from tidings.simulator.fcm.send import Pushes, StoredPush
from tidings.simulator.mail_apis.exchange import (
    API_KEY,
    ApiError,
    MailDesk,
    Reply,
    json_reply,
    phrase,
    render_api_error,
)
from tidings.simulator.mail_apis.reading import Misshapen, Unreadable, read_json

APP_ID = "51301a70-0000-4000-8000-000000000001"
"""The one app."""
UNKNOWN_PREFIX = "dead"
"""Subscription ids that begin so are of nobody; every other one is subscribed, but for the next."""
UNSUBSCRIBED_PREFIX = "0ff0"
MAX_REMEMBERED = 100_000


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    app_id: str = ""
    include_subscription_ids: Annotated[list[str], Meta(max_length=2000)] = []
    contents: dict[str, str] = {}
    content_available: bool = False
    idempotency_key: str | None = None
    ttl: Annotated[int, Meta(ge=0, le=2_419_200)] | None = None
    collapse_id: Annotated[str, Meta(max_length=64)] | None = None


class SentBefore:
    """Answers by idempotency key. The oldest of 100,000 make room; OneSignal's go after 30 days."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    def find(self, key: str | None) -> Reply | None:
        """The first answer to this key, marked as a repeated one."""
        known = self._replies.get(key) if key else None
        return known and Reply(known.status, known.body, {"Idempotent-Replayed": "true"})

    def keep(self, key: str | None, reply: Reply) -> None:
        """Answer so from now on."""
        if key:
            self._replies[key] = reply
            if len(self._replies) > MAX_REMEMBERED:
                del self._replies[next(iter(self._replies))]


def onesignal_routes() -> Router:
    """The API below `/onesignal`."""
    return Router(
        path="/onesignal",
        route_handlers=[create],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        tags=["onesignal"],
        security=[{}],
    )


@post("/notifications", status_code=200, summary="OneSignal: send a push")
async def create(
    *,
    request: Request[Any, Any, Any],
    desk: NamedDependency[MailDesk],
    sent_before: NamedDependency[SentBefore],
    pushes: Pushes,
) -> Response[bytes]:
    """Create message."""
    _check_key(request.headers.get("authorization", ""))
    body = await request.body()
    asked = _read(body)

    def take() -> Reply:
        known = sent_before.find(asked.idempotency_key)
        if known:
            return known
        reply = _send(asked, msgspec.json.decode(body), pushes.add)
        sent_before.keep(asked.idempotency_key, reply)
        return reply

    return await desk.serve(
        request, OneSignalFault, asked.include_subscription_ids, refuse=_fault_error, take=take
    )


def _send(asked: _Request, message: dict[str, Any], keep: Any) -> Reply:  # noqa: ANN401 - any collector
    unknown = [each for each in asked.include_subscription_ids if each.startswith(UNKNOWN_PREFIX)]
    reached = [
        each
        for each in asked.include_subscription_ids
        if not each.startswith((UNKNOWN_PREFIX, UNSUBSCRIBED_PREFIX))
    ]
    if not reached:
        errors: Any = (
            {"invalid_player_ids": unknown} if unknown else ["All included players are not subscribed"]
        )
        return json_reply(200, {"id": "", "errors": errors})
    notification_id = str(uuid4())
    for token in reached:
        stored = StoredPush(
            provider="onesignal",
            received_at=now(),
            project=APP_ID,
            token=token,
            name=notification_id,
            message=message,
        )
        keep(stored)
    body: dict[str, Any] = {"id": notification_id, "external_id": asked.idempotency_key}
    return json_reply(200, {**body, "errors": {"invalid_player_ids": unknown}} if unknown else body)


def _check_key(authorization: str) -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() not in {"key", "basic"} or key != API_KEY:
        words = (
            "Access denied.  Please include an 'Authorization: ...' header with a valid API key "
            "(https://documentation.onesignal.com/docs/accounts-and-keys)."
        )
        raise _error(403, words)


def _read(body: bytes) -> _Request:
    try:
        asked = read_json(body, _Request)
    except Unreadable as error:
        raise _error(400, "There was a problem in the JSON you submitted") from error
    except Misshapen as error:
        raise _error(400, f"{error.path}: {error.words}") from error
    if asked.app_id != APP_ID:
        raise _error(400, "app_id not found. You may be missing a Content-Type: application/json header.")
    if not asked.include_subscription_ids:
        raise _error(400, "You must include which players, segments, or tags you wish to send this to.")
    for token in asked.include_subscription_ids:
        if not _is_uuid(token):
            words = "Incorrect subscription_id format in include_subscription_ids (not a valid UUID)"
            raise _error(400, f"{words}: {token}")
    if not asked.contents.get("en") and not asked.content_available:
        raise _error(400, "Message Notifications must have English language content")
    if asked.idempotency_key is not None and not _is_uuid(asked.idempotency_key):
        raise _error(400, "idempotency_key must be a valid UUID")
    return asked


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _error(status: int, words: str, headers: dict[str, str] | None = None) -> ApiError:
    return ApiError(json_reply(status, {"errors": [words]}, headers))


def _fault_error(fault: OneSignalFault, status: int) -> ApiError:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    words = "API rate limit exceeded" if status == 429 else phrase(status)  # noqa: PLR2004 - as in its documents
    return _error(status, words, headers)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(error.status_code, error.detail).reply.response()

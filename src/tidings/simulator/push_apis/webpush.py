"""A push service for browsers: it checks what the standards ask for, and decrypts as the browser would.

RFC 8030, 8188, 8291 and 8292; the error bodies are those of Mozilla's service
(https://mozilla-services.github.io/autopush-rs/errors.html). A real push service cannot read what it
carries; here service and browser are one, and the decryption is an independent library's.
"""

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import http_ece  # type: ignore[import-untyped] # it has no annotations
import msgspec
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from tidings.kit.ids import now
from tidings.simulator.faults import WebPushFault
from tidings.simulator.fcm.send import Pushes, StoredPush
from tidings.simulator.mail_apis.exchange import (
    ApiError,
    MailDesk,
    Reply,
    json_reply,
    phrase,
    render_api_error,
)
from tidings.simulator.push_apis.subscriptions import Browser, Subscriptions
from tidings.simulator.push_apis.vapid import Misidentified, check_vapid

MAX_BODY_BYTES = 4096
URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")

_BAD_SUBSCRIPTION, _GONE, _TOO_LARGE, _UNIDENTIFIED, _BAD_ENCRYPTION = 102, 106, 104, 109, 110
_NO_TTL, _BAD_TTL, _BAD_TOPIC, _BACK_OFF, _UNKNOWN = 111, 112, 113, 201, 999


def webpush_routes() -> Router:
    """The push resources below `/webpush`."""
    return Router(
        path="/webpush",
        route_handlers=[push],
        exception_handlers={ApiError: render_api_error, HTTPException: _render_refusal},
        tags=["webpush"],
        security=[{}],
    )


@post("/{name:str}", status_code=201, summary="Push a message to a browser")
async def push(
    *,
    request: Request[Any, Any, Any],
    name: FromPath[str],
    desk: NamedDependency[MailDesk],
    subscriptions: NamedDependency[Subscriptions],
    pushes: Pushes,
) -> Response[bytes]:
    """RFC 8030, section 5."""
    endpoint = str(request.url)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(endpoint))
    headers = request.headers
    browser = _browser(name, subscriptions)
    _check_sender(headers.get("authorization", ""), origin, browser)
    ttl = _check_headers(headers)
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        raise _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, "Data payload too large")

    def take() -> Reply:
        shown = _decrypted(body, browser)
        message_id = secrets.token_urlsafe(16)
        message = {
            "notification": shown,
            "ttl": ttl,
            "urgency": headers.get("urgency", "normal"),
            "topic": headers.get("topic"),
            "encrypted_bytes": len(body),
        }
        pushes.add(
            StoredPush(
                provider="webpush",
                received_at=now(),
                project=origin,
                token=endpoint,
                name=message_id,
                message=message,
            )
        )
        return Reply(201, b"", {"Location": f"{origin}/webpush/m/{message_id}", "TTL": str(ttl)})

    return await desk.serve(request, WebPushFault, [endpoint], refuse=_fault_error, take=take)


def _browser(name: str, subscriptions: Subscriptions) -> Browser:
    if not subscriptions.is_known(name):
        raise _error(HTTPStatus.NOT_FOUND, _BAD_SUBSCRIPTION, "Request did not validate invalid token")
    browser = subscriptions.get(name)
    if browser is None:
        raise _error(HTTPStatus.GONE, _GONE, "No such subscription")
    return browser


def _check_sender(authorization: str, origin: str, browser: Browser) -> None:
    try:
        key = check_vapid(authorization, origin)
    except Misidentified as error:
        raise _error(HTTPStatus.UNAUTHORIZED, _UNIDENTIFIED, str(error)) from error
    if browser.application_server_key not in {None, key}:
        words = "VAPID public key mismatch"
        raise _error(HTTPStatus.FORBIDDEN, _UNIDENTIFIED, words)


def _check_headers(headers: Mapping[str, str]) -> int:
    ttl = headers.get("ttl")
    if ttl is None:
        raise _error(HTTPStatus.BAD_REQUEST, _NO_TTL, "Missing TTL value")
    if not (ttl.isascii() and ttl.isdigit()):
        raise _error(HTTPStatus.BAD_REQUEST, _BAD_TTL, "Invalid TTL value")
    if headers.get("content-encoding") != "aes128gcm":
        raise _error(HTTPStatus.BAD_REQUEST, _BAD_ENCRYPTION, "Unknown Content-Encoding")
    topic = headers.get("topic")
    if topic is not None and not _TOPIC.fullmatch(topic):
        words = "Topic must be no greater than 32 characters of the URL and filename safe Base64 alphabet"
        raise _error(HTTPStatus.BAD_REQUEST, _BAD_TOPIC, words)
    if headers.get("urgency", "normal") not in URGENCIES:
        raise _error(HTTPStatus.BAD_REQUEST, _UNKNOWN, "Invalid Urgency")
    return int(ttl)


def _decrypted(body: bytes, browser: Browser) -> Any:  # noqa: ANN401 - whatever JSON the sender chose
    """What the page would get. A message that cannot be decrypted is dropped by a browser, and told here."""
    try:
        plaintext = http_ece.decrypt(body, private_key=browser.private_key, auth_secret=browser.secret)
    except Exception as error:  # noqa: BLE001 - the library raises much, and all of it means the same
        return {"undecryptable": f"{type(error).__name__}: {error}"}
    try:
        return msgspec.json.decode(plaintext)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"text": plaintext.decode(errors="replace")}


def _error(status: int, errno: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    body = {
        "code": int(status),
        "errno": errno,
        "error": phrase(status),
        "message": message,
        "more_info": "http://autopush.readthedocs.io/en/latest/http.html#error-codes",
    }
    return ApiError(json_reply(int(status), body, headers))


def _fault_error(fault: WebPushFault, status: int) -> ApiError:
    numbers = {401: _UNIDENTIFIED, 403: _UNIDENTIFIED, 404: _BAD_SUBSCRIPTION, 410: _GONE, 413: _TOO_LARGE}
    errno = numbers.get(status, _BACK_OFF if status in {429, 503} else _UNKNOWN)
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _error(status, errno, phrase(status), headers)


def _render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _error(error.status_code, _UNKNOWN, error.detail).reply.response()

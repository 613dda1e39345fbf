"""Browsers that subscribed: what a browser has of its own, and the address that it gives away."""

import base64
import secrets
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from litestar import Request, Router, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

MAX_SUBSCRIPTIONS = 100_000
SECRET_BYTES = 16


class SubscriptionKeys(msgspec.Struct, frozen=True):
    """A browser's public key and secret, in base64url."""

    p256dh: str
    auth: str


class PushSubscription(msgspec.Struct, frozen=True):
    """What `pushManager.subscribe()` gives to a page."""

    endpoint: str
    keys: SubscriptionKeys


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """With an `applicationServerKey`, only its owner may push, as with every browser of today."""

    application_server_key: Annotated[str, Meta(max_length=100)] | None = None


@dataclass(frozen=True, slots=True)
class Browser:
    """What stays in the browser, to decrypt with."""

    private_key: ec.EllipticCurvePrivateKey
    secret: bytes
    application_server_key: str | None

    def public_keys(self) -> SubscriptionKeys:
        """What the page sends to its server."""
        point = self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return SubscriptionKeys(p256dh=base64url(point), auth=base64url(self.secret))


class Subscriptions:
    """The browsers by the secret part of their endpoints. The oldest of 100,000 make room."""

    def __init__(self) -> None:
        self._browsers: dict[str, Browser | None] = {}

    def add(self, application_server_key: str | None) -> tuple[str, Browser]:
        """A new browser and the secret part of its endpoint."""
        name = secrets.token_urlsafe(24)
        private_key = ec.generate_private_key(ec.SECP256R1())
        browser = Browser(private_key, secrets.token_bytes(SECRET_BYTES), application_server_key)
        self._browsers[name] = browser
        if len(self._browsers) > MAX_SUBSCRIPTIONS:
            del self._browsers[next(iter(self._browsers))]
        return name, browser

    def end(self, name: str) -> None:
        """The person switched notifications off: pushes to this endpoint are answered 410 from now on."""
        if name in self._browsers:
            self._browsers[name] = None

    def is_known(self, name: str) -> bool:
        """Whether there ever was such an endpoint."""
        return name in self._browsers

    def get(self, name: str) -> Browser | None:
        """The browser, unless it is gone."""
        return self._browsers.get(name)


def subscription_routes() -> Router:
    """The part that a browser plays, for tests and pages: subscribe, and unsubscribe."""
    return Router(
        path="/api/webpush/subscriptions",
        route_handlers=[subscribe, unsubscribe],
        tags=["webpush"],
        security=[{}],
    )


@post("/", summary="Subscribe, as a browser does")
async def subscribe(
    request: Request[Any, Any, Any],
    subscriptions: NamedDependency[Subscriptions],
    data: JSONBody[NewSubscription | None] = None,
) -> PushSubscription:
    """An endpoint of this simulator's, and keys to encrypt for."""
    key = data.application_server_key if data else None
    name, browser = subscriptions.add(key.rstrip("=") if key else None)
    return PushSubscription(f"{str(request.base_url).rstrip('/')}/webpush/{name}", browser.public_keys())


@delete("/{name:str}", summary="Unsubscribe")
async def unsubscribe(name: FromPath[str], subscriptions: NamedDependency[Subscriptions]) -> None:
    """From now on pushes to this endpoint are answered 410."""
    subscriptions.end(name)


def base64url(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

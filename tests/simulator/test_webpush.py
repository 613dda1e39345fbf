"""The push service for browsers checks what the standards ask for, and shows what a browser would get."""

import base64
import time
from typing import Any

import http_ece  # type: ignore[import-untyped] # it has no annotations
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simulator.running import Simulator

SENDER = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def point(key: ec.EllipticCurvePrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def subscribe(simulator: Simulator, key: str | None = None) -> dict[str, Any]:
    body = {"applicationServerKey": key} if key else None
    answer = await simulator.http.post("/api/webpush/subscriptions", json=body)
    subscription: dict[str, Any] = answer.raise_for_status().json()
    return subscription


def vapid(simulator: Simulator, key: ec.EllipticCurvePrivateKey = SENDER, **changes: object) -> str:
    """An `Authorization` header; `changes` replace its claims, times count from now."""
    origin = str(simulator.http.base_url).rstrip("/")
    claims: dict[str, Any] = {"aud": origin, "exp": 3600, "sub": "mailto:ops@example.com", **changes}
    claims["exp"] = int(time.time()) + claims["exp"]
    return f"vapid t={jwt.encode(claims, key, algorithm='ES256')}, k={point(key)}"


async def push(
    simulator: Simulator,
    subscription: dict[str, Any],
    text: bytes = b'{"title": "Hi"}',
    **headers: str | None,
) -> httpx.Response:
    """Push as an independent library encrypts; `headers` replace those of a good one, None drops one."""
    keys = subscription["keys"]
    body = http_ece.encrypt(
        text,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=decoded(keys["p256dh"]),
        auth_secret=decoded(keys["auth"]),
    )
    sent = {
        "authorization": vapid(simulator),
        "content-encoding": "aes128gcm",
        "ttl": "60",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    present = {name: value for name, value in sent.items() if value is not None}
    return await simulator.http.post(subscription["endpoint"], content=body, headers=present)


async def shown(simulator: Simulator) -> list[dict[str, Any]]:
    return [each["message"] for each in (await simulator.http.get("/api/push")).json()["pushes"]]


async def test_a_push_is_decrypted_and_listed(simulator: Simulator) -> None:
    """A message in order is answered 201 with its place, and listed as the page would get it."""
    subscription = await subscribe(simulator, point(SENDER))
    answer = await push(simulator, subscription, urgency="high", topic="orders")
    (message,) = await shown(simulator)
    assert (answer.status_code, answer.headers["TTL"]) == (201, "60")
    assert answer.headers["Location"].startswith(str(simulator.http.base_url))
    assert message["notification"] == {"title": "Hi"}
    assert (message["ttl"], message["urgency"], message["topic"]) == (60, "high", "orders")
    assert "Hi" in (await simulator.http.get("/pushes")).text


@pytest.mark.parametrize(
    ("headers", "status", "errno"),
    [
        ({"ttl": None}, 400, 111),
        ({"ttl": "-1"}, 400, 112),
        ({"ttl": "soon"}, 400, 112),
        ({"content_encoding": "aesgcm"}, 400, 110),
        ({"content_encoding": None}, 400, 110),
        ({"topic": "x" * 33}, 400, 113),
        ({"topic": "a b"}, 400, 113),
        ({"urgency": "urgent"}, 400, 999),
        ({"authorization": None}, 401, 109),
        ({"authorization": "Bearer x"}, 401, 109),
        ({"authorization": "vapid t=x, k=x"}, 401, 109),
    ],
    ids=str,
)
async def test_what_is_refused(
    simulator: Simulator, headers: dict[str, Any], status: int, errno: int
) -> None:
    """Each header that the standards demand is checked, and the error has Mozilla's number."""
    answer = await push(simulator, await subscribe(simulator), **headers)
    assert (answer.status_code, answer.json()["errno"]) == (status, errno)
    assert await shown(simulator) == []


@pytest.mark.parametrize(
    "claims",
    [{"aud": "https://push.example"}, {"exp": 25 * 3600}, {"exp": -3600}, {"sub": "ops@example.com"}],
    ids=str,
)
async def test_claims_that_do_not_hold(simulator: Simulator, claims: dict[str, Any]) -> None:
    """Audience, end and subject of the sender's claims are checked as RFC 8292 asks."""
    authorization = vapid(simulator, **claims)
    answer = await push(simulator, await subscribe(simulator), authorization=authorization)
    assert (answer.status_code, answer.json()["errno"]) == (401, 109)


async def test_a_signature_by_another_key(simulator: Simulator) -> None:
    """The key in the header has to be the one that signed."""
    forged = vapid(simulator, OTHER).replace(point(OTHER), point(SENDER))
    answer = await push(simulator, await subscribe(simulator), authorization=forged)
    assert answer.status_code == 401


async def test_a_subscription_of_another_sender(simulator: Simulator) -> None:
    """A subscription that was made for one key takes no other sender's pushes."""
    answer = await push(simulator, await subscribe(simulator, point(OTHER)))
    assert (answer.status_code, answer.json()["errno"]) == (403, 109)


async def test_subscriptions_that_are_not_there(simulator: Simulator) -> None:
    """One that ended is answered 410, one that never was 404."""
    subscription = await subscribe(simulator)
    name = subscription["endpoint"].rpartition("/")[2]
    (await simulator.http.delete(f"/api/webpush/subscriptions/{name}")).raise_for_status()
    assert (await push(simulator, subscription)).status_code == 410
    unknown = {**subscription, "endpoint": subscription["endpoint"].replace(name, "nobody")}
    assert (await push(simulator, unknown)).status_code == 404


async def test_a_body_that_is_too_large(simulator: Simulator) -> None:
    """4,096 bytes are taken, and not one more."""
    subscription = await subscribe(simulator)
    assert (await push(simulator, subscription, b"x" * 3_993)).status_code == 201
    refused = await push(simulator, subscription, b"x" * 3_994)
    assert (refused.status_code, refused.json()["errno"]) == (413, 104)


async def test_what_the_browser_could_not_decrypt(simulator: Simulator) -> None:
    """A push service cannot tell, so it answers 201; the list says that the browser would drop it."""
    one, other = await subscribe(simulator), await subscribe(simulator)
    mixed_up = {**one, "keys": other["keys"]}
    assert (await push(simulator, mixed_up)).status_code == 201
    (message,) = await shown(simulator)
    assert "undecryptable" in message["notification"]

"""What it costs to encrypt and sign a Web Push message, against pywebpush, on one core.

Run `.venv/bin/python benchmarks/push_encryption.py`. Each round is one message of 500 bytes to one of
1,000 browsers at three push services: with pywebpush (`WebPusher.encode`, and py_vapid's signature with a
kept key, as `webpush()` makes one per message), and here. Every body is decrypted with http_ece at the end.
"""

import base64
import gc
import os
import statistics
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import cycle, islice
from time import process_time, time
from typing import Any

import http_ece  # type: ignore[import-untyped] # it has no annotations
import py_vapid  # type: ignore[import-untyped] # the same
import pywebpush  # type: ignore[import-untyped] # the same
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from tidings.push.keys import base64url, make_vapid_keys, public_point, read_private_key
from tidings.push.providers.webpush.encryption import encrypt, read_receiver
from tidings.push.providers.webpush.provider import MAX_RECEIVERS
from tidings.push.providers.webpush.vapid import Vapid

BROWSERS = 1_000
SERVICES = (
    "https://fcm.googleapis.com",
    "https://updates.push.services.mozilla.com",
    "https://web.push.apple.com",
)
PLAINTEXT = os.urandom(500)
MESSAGES = 2_000
ROUNDS = 5
SUBJECT = "mailto:ops@example.com"

Browser = tuple[EllipticCurvePrivateKey, bytes, dict[str, Any]]
Send = Callable[[dict[str, Any]], bytes]


def main() -> None:
    browsers = list(new_browsers())
    ours, theirs = our_way(), pywebpush_way()
    for browser in browsers[:20]:
        check(browser, ours)
        check(browser, theirs)
    gc.collect()
    gc.freeze()
    # In turn, so that a machine that slows down slows both.
    costs: dict[str, list[float]] = {"pywebpush": [], "tidings": []}
    for _ in range(ROUNDS):
        costs["pywebpush"].append(cost(browsers, theirs))
        costs["tidings"].append(cost(browsers, ours))
    print(f"Encrypt and sign, {len(PLAINTEXT)} bytes, one core, median of {ROUNDS} x {MESSAGES}\n")
    print(f"{'':12}{'microseconds':>14}{'messages/s':>14}")
    for name, measured in costs.items():
        median = statistics.median(measured)
        print(f"{name:12}{median:14.1f}{1e6 / median:14.0f}")
    ratio = statistics.median(costs["pywebpush"]) / statistics.median(costs["tidings"])
    print(f"\n{ratio:.1f} times pywebpush")
    floor = curve_cost(browsers)
    print(f"{floor:.1f} microseconds of each are a new key pair and its agreement, which RFC 8291 asks for")


def cost(browsers: list[Browser], send: Send) -> float:
    """Microseconds of CPU a message."""
    started = process_time()
    for _, _, subscription in islice(cycle(browsers), MESSAGES):
        send(subscription)
    return (process_time() - started) / MESSAGES * 1e6


def curve_cost(browsers: list[Browser]) -> float:
    """Microseconds for what no sender can leave out: OpenSSL's two operations on the curve."""
    points = [browser[0].public_key() for browser in browsers]
    started = process_time()
    for point in islice(cycle(points), MESSAGES):
        generate_private_key(SECP256R1()).exchange(ECDH(), point)
    return (process_time() - started) / MESSAGES * 1e6


def our_way() -> Send:
    vapid = Vapid(read_private_key(make_vapid_keys().private), SUBJECT)
    receivers = lru_cache(MAX_RECEIVERS)(read_receiver)

    def send(subscription: dict[str, Any]) -> bytes:
        vapid.header(subscription["endpoint"])
        keys = subscription["keys"]
        return encrypt(PLAINTEXT, receivers(keys["p256dh"], keys["auth"]))

    return send


def pywebpush_way() -> Send:
    vapid = py_vapid.Vapid02()
    vapid.generate_keys()

    def send(subscription: dict[str, Any]) -> bytes:
        origin = "/".join(subscription["endpoint"].split("/")[:3])
        vapid.sign({"sub": SUBJECT, "aud": origin, "exp": int(time()) + 12 * 3600})
        encoded = pywebpush.WebPusher(subscription).encode(PLAINTEXT, content_encoding="aes128gcm")
        return bytes(encoded["body"])

    return send


def check(browser: Browser, send: Send) -> None:
    key, secret, subscription = browser
    if http_ece.decrypt(send(subscription), private_key=key, auth_secret=secret) != PLAINTEXT:
        raise RuntimeError("a browser could not decrypt its message")


def new_browsers() -> Iterator[Browser]:
    for number, service in zip(range(BROWSERS), cycle(SERVICES), strict=False):
        key, secret = generate_private_key(SECP256R1()), os.urandom(16)
        name = base64.urlsafe_b64encode(os.urandom(24)).decode()
        keys = {"p256dh": base64url(public_point(key.public_key())), "auth": base64url(secret)}
        yield key, secret, {"endpoint": f"{service}/{number}/{name}", "keys": keys}


if __name__ == "__main__":
    main()

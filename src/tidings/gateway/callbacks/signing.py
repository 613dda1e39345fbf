"""Secrets and signatures as Standard Webhooks has them (github.com/standard-webhooks/standard-webhooks)."""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(event_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The headers that prove `body`: one signature for each secret, so that either one verifies it."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(key: str, signed: bytes) -> str:
    return b64encode(hmac.digest(b64decode(key.removeprefix(PREFIX)), signed, sha256)).decode()

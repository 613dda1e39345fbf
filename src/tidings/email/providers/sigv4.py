"""AWS Signature Version 4.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Written out, because botocore would bring its own retries, which send email twice.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from yarl import URL

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKey:
    """An access key; with a session token where it is a temporary one."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for, beside its day."""

    region: str
    service: str


def sign(
    method: str,
    url: URL,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: AwsKey,
    scope: Scope,
    at: datetime,
) -> dict[str, str]:
    """All headers to send: those given, and Host, X-Amz-Date and Authorization, which covers them all."""
    at = at.astimezone(UTC)
    complete = {**headers, "Host": url.host_port_subcomponent or "", "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}"}
    if key.session_token is not None:
        complete["X-Amz-Security-Token"] = key.session_token
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in complete.items())
    names = ";".join(name for name, _ in canonical)
    request = "\n".join(
        (
            method,
            quote(url.raw_path or "/", safe="/~"),
            _query(url),
            *(f"{name}:{value}" for name, value in canonical),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    credential = f"{at:%Y%m%d}/{scope.region}/{scope.service}/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{complete['X-Amz-Date']}\n{credential}\n{hashed}"
    signing_key = f"AWS4{key.secret_access_key}".encode()
    for part in credential.split("/"):
        signing_key = _hmac(signing_key, part)
    signature = _hmac(signing_key, to_sign).hex()
    named = f"Credential={key.access_key_id}/{credential}, SignedHeaders={names}, Signature={signature}"
    return {**complete, "Authorization": f"{_ALGORITHM} {named}"}


def _query(url: URL) -> str:
    return "&".join(
        sorted(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in url.query.items())
    )


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

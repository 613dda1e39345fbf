"""AWS Signature Version 4, verified.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, words of the
errors: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from tidings.kit.ids import now

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=5)
_STAMP = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/,\s]+)/(?P<date>\d{{8}})/(?P<region>[a-z0-9-]+)/"
    r"(?P<service>[a-z0-9-]+)/aws4_request,\s*SignedHeaders=(?P<headers>[a-z0-9;_-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


class NotSigned(Exception):
    """The request is not signed as it must be; `error` is AWS's name for that."""

    def __init__(self, error: str, words: str) -> None:
        super().__init__(words)
        self.error = error
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it came: the path still encoded, the headers with lower-case names, in order."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of one header."""
        return [" ".join(value.split()) for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """The first value of one header, or nothing."""
        return next(iter(self.values(name)), "")


def verify(request: SignedRequest, *, service: str, key_id: str, secret: str) -> None:
    """Check that a request was signed for `service`, in any region, with this key.

    Raises:
        NotSigned: with AWS's name and words for what is wrong.
    """
    authorization = request.first("authorization")
    if not authorization:
        raise NotSigned("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        words = (
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters. "
            f"Authorization={authorization.partition(' ')[0]}"
        )
        raise NotSigned("IncompleteSignatureException", words)
    # A session token belongs to temporary credentials, and this key is none.
    if found["key"] != key_id or request.first("x-amz-security-token"):
        words = "The security token included in the request is invalid."
        raise NotSigned("UnrecognizedClientException", words)
    if found["service"] != service:
        words = f"Credential should be scoped to correct service: '{service}'."
        raise NotSigned("InvalidSignatureException", words)
    _check_date(request.first("x-amz-date"), found["date"])
    signed = found["headers"].split(";")
    _check_signed_headers(request, signed)
    scope = f"{found['date']}/{found['region']}/{service}/aws4_request"
    expected = _signature(request, signed, scope, secret)
    if not hmac.compare_digest(expected, found["signature"]):
        raise NotSigned("InvalidSignatureException", _MISMATCH)


def _check_date(stamp: str, scope_date: str) -> None:
    try:
        moment = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError as error:
        words = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        raise NotSigned("IncompleteSignatureException", words) from error
    if stamp[:8] != scope_date:
        words = f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope_date}' != '{stamp[:8]}', from '{stamp}'."  # noqa: E501 - Amazon's sentence
        raise NotSigned("InvalidSignatureException", words)
    present = now()
    earliest, latest = present - CLOCK_SKEW, present + CLOCK_SKEW
    if moment < earliest:
        words = f"Signature expired: {stamp} is now earlier than {earliest:{_STAMP}} ({present:{_STAMP}} - 5 min.)"  # noqa: E501 - Amazon's sentence
        raise NotSigned("InvalidSignatureException", words)
    if moment > latest:
        words = f"Signature not yet current: {stamp} is still later than {latest:{_STAMP}} ({present:{_STAMP}} + 5 min.)"  # noqa: E501 - Amazon's sentence
        raise NotSigned("InvalidSignatureException", words)


def _check_signed_headers(request: SignedRequest, signed: Sequence[str]) -> None:
    required = {"host", *(name for name, _ in request.headers if name.startswith("x-amz-"))}
    missing = sorted(required - set(signed))
    if missing or list(signed) != sorted(signed):
        named = missing[0] if missing else ";".join(sorted(signed))
        words = f"'{named}' must be a 'SignedHeader' in the AWS Authorization."
        raise NotSigned("InvalidSignatureException", words)


def _signature(request: SignedRequest, signed: Sequence[str], scope: str, secret: str) -> str:
    canonical = "\n".join(
        [
            request.method,
            # Every service but S3 encodes the segments of the path a second time.
            quote(request.path, safe="/-_.~"),
            _canonical_query(request.query),
            *(f"{name}:{','.join(request.values(name))}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([ALGORITHM, request.first("x-amz-date"), scope, digest])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(f"{name}={value}" for name, value in sorted(map(_encoded, pairs)))


def _encoded(pair: tuple[str, str]) -> tuple[str, str]:
    return quote(pair[0], safe="-_.~"), quote(pair[1], safe="-_.~")

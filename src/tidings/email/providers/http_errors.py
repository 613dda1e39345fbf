"""What an HTTP status and its headers say when a provider's own words say no more.

Statuses: RFC 9110, section 15. Waiting: `Retry-After` (RFC 9110, section 10.2.3), `RateLimit-Reset`
(draft-ietf-httpapi-ratelimit-headers, as Resend sends it), `X-RateLimit-Reset` (SendGrid: Unix time).
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isfinite

from tidings.contracts.codes import ErrorOwner

QUOTA_SECONDS = 900.0
"""Until a spent daily quota is tried again: it comes back little by little, or at an hour not told."""

_MAX_WAIT_SECONDS = 24 * 3600.0
_FIRST_UNIX_TIME = 1e9
_FIRST_UNIX_MILLISECONDS = 1e12

_BY_STATUS = {
    # Whatever we ask of this address, with this key, it will say so again: the set-up is wrong.
    HTTPStatus.UNAUTHORIZED: ErrorOwner.CREDENTIAL,
    HTTPStatus.PAYMENT_REQUIRED: ErrorOwner.CREDENTIAL,
    HTTPStatus.FORBIDDEN: ErrorOwner.CREDENTIAL,
    HTTPStatus.NOT_FOUND: ErrorOwner.CREDENTIAL,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorOwner.CREDENTIAL,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: ErrorOwner.CREDENTIAL,
    HTTPStatus.GONE: ErrorOwner.CREDENTIAL,
    HTTPStatus.REQUEST_TIMEOUT: ErrorOwner.OUTAGE,
    HTTPStatus.TOO_EARLY: ErrorOwner.OUTAGE,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorOwner.THROTTLE,
    # The gateway passed the request on and heard nothing: what stands behind it may have taken it.
    HTTPStatus.GATEWAY_TIMEOUT: ErrorOwner.AMBIGUOUS,
}


def owner_of_status(status: int) -> ErrorOwner:
    """Who has to act. A success that could not be read is ambiguous; a redirect is never followed."""
    if status in _BY_STATUS:
        return _BY_STATUS[HTTPStatus(status)]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return ErrorOwner.AMBIGUOUS
    if status < HTTPStatus.BAD_REQUEST:
        return ErrorOwner.CREDENTIAL
    return ErrorOwner.CONTENT if status < HTTPStatus.INTERNAL_SERVER_ERROR else ErrorOwner.OUTAGE


def wait_of(headers: Mapping[str, str], at: datetime) -> float | None:
    """The seconds to wait that an answer asks for, at most a day; None where it asks for none."""
    for name in ("Retry-After", "X-RateLimit-Reset", "RateLimit-Reset"):
        seconds = _seconds(headers.get(name, ""), at)
        if seconds is not None and seconds > 0:
            return min(seconds, _MAX_WAIT_SECONDS)
    return None


def _seconds(given: str, at: datetime) -> float | None:
    try:
        number = float(given)
    except ValueError:
        return _until(given, at)
    if not isfinite(number):
        return None
    if number >= _FIRST_UNIX_MILLISECONDS:
        return number / 1000 - at.timestamp()
    return number - at.timestamp() if number >= _FIRST_UNIX_TIME else number


def _until(given: str, at: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is not an HTTP date (RFC 9110, section 5.6.7).
    return (then - at).total_seconds() if then.tzinfo else None

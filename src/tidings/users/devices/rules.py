"""What makes a push token: for FCM its text, for Web Push the subscription of a browser."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from tidings.contracts.users import NewPushToken, WebPushSubscription
from tidings.kit.errors import FieldFault
from tidings.users.validation import fit, known_time_zone, normal_locale, refuse, unstorable

SECRET_BYTES = 16
"""The length of a subscription's authentication secret (RFC 8291, section 3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as it is stored. For Web Push the token is the subscription's endpoint."""

    provider: str
    token: str
    subscription: dict[str, Any] | None
    platform: str | None
    locale: str | None
    time_zone: str | None


def checked_device(new: NewPushToken) -> Device:
    """The device that a request describes.

    Raises:
        Unprocessable: names each field that is missing, too many, or does not hold what it should.
    """
    fitted, faults = fit(new, {"locale": normal_locale, "time_zone": known_time_zone})
    refuse([*unstorable(new), *faults, *_address_faults(new)])
    subscription = new.subscription
    return Device(
        provider=new.provider,
        token=subscription.endpoint if subscription else new.token or "",
        subscription=msgspec.to_builtins(subscription) if subscription else None,
        platform=new.platform or ("web" if subscription else None),
        locale=fitted.locale,
        time_zone=fitted.time_zone,
    )


def _address_faults(new: NewPushToken) -> list[FieldFault]:
    web = new.provider == "webpush"
    needed, useless = ("subscription", "token") if web else ("token", "subscription")
    faults = []
    if getattr(new, needed) is None:
        faults.append(FieldFault(field=f"$.{needed}", message=f"{new.provider} needs a {needed}"))
    if getattr(new, useless) is not None:
        faults.append(FieldFault(field=f"$.{useless}", message=f"{new.provider} has no {useless}"))
    return faults or (_subscription_faults(new.subscription) if new.subscription else [])


def _subscription_faults(subscription: WebPushSubscription) -> list[FieldFault]:
    faults = []
    if not _has_host(subscription.endpoint):
        words = "This is no URL with a host; take it from `PushSubscription.toJSON()` as it is"
        faults.append(FieldFault(field="$.subscription.endpoint", message=words))
    if not _is_public_key(_decoded(subscription.keys.p256dh)):
        words = "This is no uncompressed P-256 public key (65 bytes) in base64url"
        faults.append(FieldFault(field="$.subscription.keys.p256dh", message=words))
    if len(_decoded(subscription.keys.auth)) != SECRET_BYTES:
        words = f"This is no secret of {SECRET_BYTES} bytes in base64url"
        faults.append(FieldFault(field="$.subscription.keys.auth", message=words))
    return faults


def _has_host(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and endpoint.isprintable()
    except ValueError:  # brackets or a port that make no sense
        return False


def _decoded(text: str) -> bytes:
    """The bytes of base64url, with or without padding; none when it is something else."""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars="-_", validate=True)
    except ValueError:
        return b""


def _is_public_key(point: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        return False
    return point[0] == 4  # noqa: PLR2004 - the mark of an uncompressed point

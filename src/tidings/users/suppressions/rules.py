"""What may be on the suppression list, and for how long."""

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from tidings.contracts.users import NewSuppression, SuppressionReason
from tidings.kit.addresses import normal_email
from tidings.kit.errors import FieldFault
from tidings.kit.ids import now
from tidings.users.validation import fit, refuse, unstorable

Addressed = TypeVar("Addressed", bound=msgspec.Struct)

PRESUMED_DEAD = (SuppressionReason.HARD_BOUNCE, SuppressionReason.INVALID)
"""Reasons that a message which arrives disproves."""
PRESUMED_DEAD_LIFETIME = timedelta(days=30)
"""Mailboxes are repaired and addresses given out again."""
LONGEST = timedelta(days=36_500)


def checked_suppression(new: NewSuppression) -> NewSuppression:
    """The same entry with its address normalised as users' are, and with the expiry that its reason has.

    Raises:
        Unprocessable: names each field that does not hold what it should.
    """
    fitted, faults = fit(new, {"email": normal_email})
    if (new.email is None) == (new.token is None):
        faults.append(FieldFault(field="$", message="Give either `email` or `token`"))
    refuse([*unstorable(new), *faults, *_expiry_faults(new.expires_at)])
    return msgspec.structs.replace(fitted, expires_at=new.expires_at or default_expiry(new.reason))


def with_normal_email(named: Addressed) -> Addressed:
    """The same with its `email` normalised as users' are.

    Raises:
        Unprocessable: it is no address.
    """
    fitted, faults = fit(named, {"email": normal_email})
    refuse(faults)
    return fitted


def default_expiry(reason: SuppressionReason) -> datetime | None:
    """When an entry made now ends; None is never."""
    return now() + PRESUMED_DEAD_LIFETIME if reason in PRESUMED_DEAD else None


def _expiry_faults(expires_at: datetime | None) -> list[FieldFault]:
    if expires_at is None or now() < expires_at < now() + LONGEST:
        return []
    words = "This moment has passed, or is more than 100 years off; leave it out for what the reason has"
    return [FieldFault(field="$.expires_at", message=words)]

"""What a caller reaches, where that is not a matter of scopes: a test key only what test keys have made."""

from tidings.contracts.notifications import Notification
from tidings.kit.auth import EVERYTHING, Principal


def owner_for(caller: Principal) -> str | None:
    """Whose they may see of what belongs to one API key.

    None is everyone's: that takes a live key with the scope `*`.
    """
    return None if caller.may(EVERYTHING) and not caller.sandbox else caller.owner


def reached(caller: Principal, found: Notification | None) -> Notification | None:
    """A notification, where there is one for this caller."""
    return None if found is not None and caller.sandbox and not found.sandbox else found

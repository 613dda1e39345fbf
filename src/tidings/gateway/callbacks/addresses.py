"""Which URLs may be endpoints, as far as their form tells. Where a name leads is checked at each POST."""

from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.outbound import ForbiddenAddress, checked_url

EXEMPTION = "A receiver of your own network is exempt once TIDINGS_CALLBACK_HOSTS names its host:port"


def check_address(url: str, hosts: frozenset[str]) -> None:
    """Refuse what could never be posted to. `hosts` are exact `host:port` that may be anywhere.

    Raises:
        Unprocessable: an address that is not public, http to another host, or a password in the URL.
    """
    try:
        parsed = checked_url(url, hosts)
    except ForbiddenAddress as error:
        raise _refused(f"{error}. {EXEMPTION}") from error
    if parsed.user is not None or parsed.password is not None:
        raise _refused("A URL with a user name or password would show it to everyone who lists endpoints")
    if parsed.scheme != "https" and f"{parsed.host_subcomponent}:{parsed.port}" not in hosts:
        raise _refused(
            f"Use https for {parsed.host_subcomponent}:{parsed.port}, since callbacks hold personal data. "
            f"{EXEMPTION}"
        )


def _refused(words: str) -> Unprocessable:
    return Unprocessable(
        f"This cannot be an endpoint. {words}",
        code="forbidden_address",
        errors=[FieldFault(field="$.url", message=words)],
    )

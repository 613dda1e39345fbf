"""How addresses on the suppression list are written, for any address."""

from hypothesis import assume, given
from hypothesis import strategies as st

from tidings.contracts.users import NewSuppression, SuccessReport, SuppressionReason
from tidings.kit.errors import Unprocessable
from tidings.kit.ids import now
from tidings.users.suppressions.rules import PRESUMED_DEAD, checked_suppression, with_normal_email

REASONS = st.sampled_from(SuppressionReason)
DOMAINS = st.sampled_from(["example.com", "bücher.example", "xn--bcher-kva.example", "例え.example"])
ADDRESSES = st.emails() | st.builds("{}@{}".format, st.from_regex(r"[\w.+-]{1,20}", fullmatch=True), DOMAINS)


def normal(address: str) -> str:
    """The address as it is stored; addresses that are none are not of interest."""
    try:
        return with_normal_email(SuccessReport(email=address)).email
    except Unprocessable:
        assume(False)
        raise


@given(address=ADDRESSES)
def test_one_address_is_written_one_way(address: str) -> None:
    """The stored form is a fixed point, and the domain's case and encoding make no difference."""
    stored = normal(address)
    local, _, domain = stored.rpartition("@")
    punycode = domain.encode("idna").decode("ascii")
    assert normal(stored) == stored
    assert normal(f"{local}@{punycode}") == normal(f"{local}@{domain.upper()}") == stored


@given(address=ADDRESSES, reason=REASONS)
def test_an_entry_has_the_address_and_expiry_that_are_stored(address: str, reason: SuppressionReason) -> None:
    """A checked entry is ready for the list: its address normal, its expiry that of its reason."""
    stored = normal(address)
    entry = checked_suppression(NewSuppression(email=address, reason=reason))
    assert entry.email == stored
    assert (entry.expires_at is not None) == (reason in PRESUMED_DEAD)
    assert entry.expires_at is None or entry.expires_at > now()

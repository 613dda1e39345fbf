"""Which email addresses there can be."""

import pytest

from tidings.kit.addresses import normal_email


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("Ada@EXAMPLE.com", "Ada@example.com"),
        ("ada@b\u00dccher.example.com", "ada@b\u00fccher.example.com"),
        ("delivered@simulator.tidings.test", "delivered@simulator.tidings.test"),
        ("bounced+7@Simulator.Tidings.test", "bounced+7@simulator.tidings.test"),
    ],
)
def test_an_address_has_a_normal_form(address: str, normal: str) -> None:
    """Case and Unicode forms of a domain do not matter; the sandbox's people have addresses too."""
    assert normal_email(address) == normal


@pytest.mark.parametrize(
    "address",
    ["ada", "ada@", "@example.com", "a b@example.com", "ada@example.test", "ada@x.simulator.tidings.test"],
)
def test_what_is_no_address(address: str) -> None:
    """It is refused in words that show what one looks like; so are the names that belong to nobody."""
    with pytest.raises(ValueError, match=r"ada@example\.com"):
        normal_email(address)

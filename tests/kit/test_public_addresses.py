"""Which addresses are open to the world."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.kit.public_addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:200::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ],
)
def test_addresses_of_the_world(address: str) -> None:
    """Global unicast addresses are public, and those that stand for one of IPv4."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_with_a_purpose_of_their_own(address: str) -> None:
    """Private, local, shared, multicast, documentation and reserved addresses are not, in any disguise."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["", "1.1.1", "0x1.1.1.1", "01.1.1.1", "1.1.1.1 ", "example.com", "[::1]"]
)
def test_what_is_no_address(address: str) -> None:
    """What is not written as an address is written is none."""
    assert not is_public(address)


@given(embedded=st.ip_addresses(v=4))
def test_embedding_changes_nothing(embedded: object) -> None:
    """An IPv4 address inside a mapped, NAT64 or 6to4 one is judged as it is by itself."""
    number = int(embedded)  # type: ignore[call-overload] # hypothesis says no more than that it is an address
    halves = f"{number >> 16:x}:{number & 0xFFFF:x}"
    disguises = (f"::ffff:{halves}", f"64:ff9b::{halves}", f"2002:{halves}::1")
    assert {is_public(address) for address in disguises} == {is_public(str(embedded))}

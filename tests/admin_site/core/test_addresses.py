"""Whose address counts: only what proxies of ours say is believed."""

from ipaddress import ip_network

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from admin_site.core.addresses import UNKNOWN, address_of, client_address, counted_as

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "found"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        # Not from a proxy of ours: made up.
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("192.0.2.1", "10.0.0.1", "192.0.2.1"),
        # From one: the last that is not ours, whatever stands before it.
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8:ffff::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        # Nothing or nonsense: the proxy itself.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", ",,", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        # A socket without an address.
        ("", "198.51.100.7", UNKNOWN),
    ],
)
def test_forwarded_addresses(peer: str, forwarded_for: str, found: str) -> None:
    assert counted_as(client_address(peer, forwarded_for, trusted=PROXIES)) == found


def test_one_customer_of_ipv6_is_one_address() -> None:
    texts = ["2001:db8::1", "2001:db8::ffff:1:2:3", "2001:db8::1%eth0", "fe80::1"]
    found = [counted_as(client_address(each, "", trusted=())) for each in texts]
    assert found == ["2001:db8::/64"] * 3 + ["fe80::/64"]
    assert counted_as(client_address("::ffff:192.0.2.1", "", trusted=())) == "192.0.2.1"


def test_nobody_is_believed_unless_the_settings_say_so(
    settings: Settings,
) -> None:
    request = RequestFactory().get("/", headers={"x-forwarded-for": "198.51.100.7"})
    assert address_of(request) == "127.0.0.1"
    settings.TRUSTED_PROXIES = (ip_network("127.0.0.0/8"),)
    assert address_of(request) == "198.51.100.7"

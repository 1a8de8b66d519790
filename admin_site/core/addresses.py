"""From where a request comes, as far as that can be believed."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
"""All whose address cannot be told are counted as one."""

IPV6_PREFIX = 64
"""Whoever has one IPv6 address has at least a network of this size."""


def address_of(request: HttpRequest) -> str:
    """What limits count `request` under."""
    return counted_as(
        client_address(
            str(request.META.get("REMOTE_ADDR") or ""),
            str(request.META.get("HTTP_X_FORWARDED_FOR") or ""),
            trusted=settings.TRUSTED_PROXIES,
        )
    )


def client_address(
    peer: str, forwarded_for: str, *, trusted: Sequence[Network]
) -> Address | None:
    """The address nearest to us that is not one of our own proxies.

    `forwarded_for` is read from its end, where each proxy writes who asked it, and
    only as far as `trusted` proxies have written it. The rest anybody can make up.
    """
    address = _parsed(peer)
    named = forwarded_for.split(",") if forwarded_for else []
    while address is not None and named and _is_within(address, trusted):
        before = _parsed(named.pop())
        if before is None:
            return address
        address = before
    return address


def counted_as(address: Address | None) -> str:
    """One text for all addresses that one customer of a network has."""
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address)


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == each.version and address in each for each in networks)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

"""Inventory: what this computer is and has, without anything about its users."""

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from client_agent.facts.agent import agent
from client_agent.facts.connections import connections
from client_agent.facts.disks import disks
from client_agent.facts.features import features
from client_agent.facts.hardware import hardware
from client_agent.facts.login import login
from client_agent.facts.network import network
from client_agent.facts.operating_system import operating_system
from client_agent.facts.power import power
from client_agent.facts.services import services
from client_agent.facts.time_settings import time_settings
from client_agent.host.bus import Bus
from client_agent.protocol.types import Json
from client_agent.reconcile import Context

log = logging.getLogger(__name__)

FACTS_BYTES = 64 * 1024
"""Upper bound of all facts as JSON."""

_TEXT = 200
_ITEMS = 32


def collect(context: Context, *, bus: Bus | None = None) -> dict[str, Json]:
    """Facts by kind; a kind that cannot be had is absent.

    `bus` is another than the system's. Takes up to some seconds when a service hangs.
    Stable: equal while nothing worth telling has changed.
    """
    own_bus = Bus() if bus is None else bus
    kinds: dict[str, Callable[[], Json]] = {
        "agent": partial(agent, context.product),
        "connections": partial(connections, own_bus),
        "disks": disks,
        "features": partial(features, own_bus),
        "hardware": partial(hardware, own_bus),
        "login": partial(login, own_bus),
        "network": network,
        "os": partial(operating_system, context.root),
        "power": partial(power, own_bus),
        "services": partial(services, own_bus),
        "time": partial(time_settings, own_bus),
    }
    try:
        found = {kind: _collected(kind, ask) for kind, ask in kinds.items()}
    finally:
        if bus is None:
            own_bus.close()
    return within_bound({k: v for k, v in found.items() if v is not None})


def within_bound(facts: dict[str, Json]) -> dict[str, Json]:
    """`facts` without what is too much: long texts and lists are cut, and the largest
    kinds left out and named in ``omitted`` until all fits FACTS_BYTES."""
    kept = {kind: _trimmed(value) for kind, value in facts.items()}
    omitted: list[Json] = []
    while _size(kept) > FACTS_BYTES:
        largest = max((k for k in kept if k != "omitted"), key=lambda k: _size(kept[k]))
        del kept[largest]
        omitted.append(largest)
        kept["omitted"] = omitted
    return kept


def _collected(kind: str, ask: Callable[[], Json]) -> Json:
    try:
        return ask()
    except Exception:
        log.exception("facts: %s could not be collected", kind)
        return None


def _trimmed(value: Json) -> Json:
    if isinstance(value, str):
        return "".join(char for char in value if char.isprintable())[:_TEXT]
    if isinstance(value, list):
        return [_trimmed(item) for item in value[:_ITEMS]]
    if isinstance(value, dict):
        return {key: _trimmed(item) for key, item in value.items()}
    return value


def _size(value: Json) -> int:
    return len(msgspec.json.encode(value))

"""Facts that come from services of the system: stable, and without anybody's name."""

from collections.abc import Iterator
from typing import Any

import pytest

from client_agent.facts.connections import connections
from client_agent.facts.power import power
from client_agent.facts.services import services
from client_agent.facts.time_settings import time_settings
from client_agent.host import network_manager, systemd1, timedate1, upower
from client_agent.host.bus import Bus
from client_agent.host.network_manager import Connection, Network, Networks
from client_agent.host.upower import Power, UPower
from tests.dbus_doubles.private_bus import PrivateBus

pytestmark = pytest.mark.needs("dbus")


@pytest.fixture
def bus(system_bus: PrivateBus) -> Iterator[Bus]:
    bus = Bus(system_bus.address)
    yield bus
    bus.close()


def test_each_says_why_it_knows_nothing(bus: Bus) -> None:
    for collect in (connections, power, services, time_settings):
        assert collect(bus) == {"code": "service-absent"}


def test_a_wrong_answer_is_a_code(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(timedate1.SERVICE, "timedated", Timezone=5)
    assert time_settings(bus) == {"code": "bus-answer-unexpected"}


def test_services_that_failed_name_no_person(system_bus: PrivateBus, bus: Bus) -> None:
    failed = ["loaded", "failed", "failed"]
    units = {
        "cups.service": failed,
        "user@1001.service": failed,
        "home-anna.mount": failed,
        r"systemd-fsck@dev-disk-by\x2dlabel-ANNAS.service": failed,
        "systemd-fsck@dev-sda1.service": failed,
        "run-media-anna.automount": failed,
        "ssh.service": ["loaded", "active", "running"],
    }
    system_bus.add_double(systemd1.SERVICE, "systemd1", units=units)
    assert services(bus) == {
        "code": "",
        "failed": ["cups.service", "systemd-fsck@.service", "user@.service"],
    }


def test_the_time_zone(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(timedate1.SERVICE, "timedated", Timezone="Europe/Copenhagen")
    assert time_settings(bus) == {
        "code": "",
        "timezone": "Europe/Copenhagen",
        "is_ntp_on": True,
        "is_synchronised": True,
    }


def test_connections_come_in_one_order(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    wired = Connection("802-3-ethernet", ("eth1", "eth0"))
    tunnel = Connection("vpn", ())
    for order in ((wired, tunnel), (tunnel, wired)):
        network = Network("limited", order)
        monkeypatch.setattr(Networks, "network", lambda self, n=network: n)
        assert connections(bus) == {
            "code": "",
            "connectivity": "limited",
            "active": [
                {"type": "802-3-ethernet", "devices": ["eth0", "eth1"]},
                {"type": "vpn", "devices": []},
            ],
        }


def test_no_network_is_known(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(network_manager.SERVICE, "networkmanager")
    assert connections(bus) == {"code": "", "connectivity": "full", "active": []}


def test_no_battery(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(upower.SERVICE, "upower")
    found = power(bus)
    assert found == {"code": "", "is_on_battery": False, "percentage": None}


@pytest.mark.parametrize(
    ("charge", "told"),
    [(0.0, 0), (9.9, 0), (57.5, 50), (100.0, 100), (float("nan"), 0), (-1.0, 0)],
)
def test_the_charge_is_told_in_tens(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, charge: float, told: int
) -> None:
    monkeypatch.setattr(UPower, "power", lambda self: Power(True, charge))
    found: Any = power(bus)
    assert found["percentage"] == told

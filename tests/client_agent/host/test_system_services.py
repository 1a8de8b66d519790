"""systemd, timedated, NetworkManager and UPower, as doubles on a private bus."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from client_agent.host import network_manager, systemd1, timedate1, upower
from client_agent.host.bus import Bus, BusError
from client_agent.host.errors import FeatureAbsent
from client_agent.host.network_manager import Connection, Network, Networks
from client_agent.host.systemd1 import Systemd1
from client_agent.host.timedate1 import Timedate1, TimeSettings
from client_agent.host.upower import Power, UPower
from tests.dbus_doubles.private_bus import PrivateBus

MOCK = "org.freedesktop.DBus.Mock"
DAEMON = "org.freedesktop.DBus"
ACTIVATED = 100

pytestmark = pytest.mark.needs("dbus")

ASK: dict[str, Callable[[Bus], object]] = {
    systemd1.SERVICE: lambda bus: Systemd1(bus).failed_units(),
    timedate1.SERVICE: lambda bus: Timedate1(bus).settings(),
    network_manager.SERVICE: lambda bus: Networks(bus).network(),
    upower.SERVICE: lambda bus: UPower(bus).power(),
}
TEMPLATES = {
    systemd1.SERVICE: "systemd1",
    timedate1.SERVICE: "timedated",
    network_manager.SERVICE: "networkmanager",
    upower.SERVICE: "upower",
}


class ImpatientBus(Bus):
    """Waits for nobody longer than a moment."""

    def call(self, *arguments: Any, **options: Any) -> Any:
        return super().call(*arguments, **{**options, "timeout_seconds": 0.5})


@pytest.fixture
def bus(system_bus: PrivateBus) -> Iterator[Bus]:
    bus = Bus(system_bus.address)
    yield bus
    bus.close()


def mock(
    bus: Bus, service: str, path: str, method: str, signature: str, *arguments: object
) -> str:
    """Tell a double something; the path that it answers, if any."""
    answer: tuple[str, ...] = bus.call(
        service,
        path,
        MOCK,
        method,
        arguments,
        signature=signature,
        answer=tuple[str, ...],
    )
    return answer[0] if answer else ""


@pytest.mark.parametrize("service", ASK)
def test_a_service_that_is_not_there(bus: Bus, service: str) -> None:
    with pytest.raises(FeatureAbsent) as caught:
        ASK[service](bus)
    assert (caught.value.code, caught.value.detail) == ("service-absent", service)


@pytest.mark.parametrize("service", ASK)
def test_a_service_that_hangs(system_bus: PrivateBus, bus: Bus, service: str) -> None:
    system_bus.add_double(service, TEMPLATES[service])
    ASK[service](bus)
    (pid,) = bus.call(
        DAEMON,
        "/org/freedesktop/DBus",
        DAEMON,
        "GetConnectionUnixProcessID",
        (service,),
        signature="(s)",
        answer=tuple[int],
    )
    os.kill(pid, signal.SIGSTOP)
    impatient = ImpatientBus(system_bus.address)
    with pytest.raises(BusError) as caught:
        ASK[service](impatient)
    assert caught.value.code == "bus-timeout"
    impatient.close()
    system_bus.end_double(pid)


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        (timedate1.SERVICE, {"Timezone": 5}),
        (network_manager.SERVICE, {"Connectivity": "full"}),
        (upower.SERVICE, {"OnBattery": "yes"}),
    ],
)
def test_properties_of_another_shape(
    system_bus: PrivateBus, bus: Bus, service: str, wrong: dict[str, Any]
) -> None:
    system_bus.add_double(service, TEMPLATES[service], **wrong)
    with pytest.raises(BusError) as caught:
        ASK[service](bus)
    assert caught.value.code == "bus-answer-unexpected"


def test_units_of_another_shape(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(systemd1.SERVICE, "systemd1")
    path = "/org/freedesktop/systemd1"
    method = (f"{systemd1.SERVICE}.Manager", "ListUnitsFiltered", "as", "as")
    told = (*method, "ret = ['cups.service']")
    mock(bus, systemd1.SERVICE, path, "AddMethod", "(sssss)", *told)
    with pytest.raises(BusError) as caught:
        Systemd1(bus).failed_units()
    assert caught.value.code == "bus-answer-unexpected"


def test_units_that_failed_and_others(system_bus: PrivateBus, bus: Bus) -> None:
    units = {
        "cups.service": ["loaded", "failed", "failed"],
        "ssh.service": ["loaded", "active", "running"],
    }
    system_bus.add_double(systemd1.SERVICE, "systemd1", units=units)

    (failed,) = Systemd1(bus).failed_units()
    ssh, none = Systemd1(bus).units(["ssh.service", "no.service"])

    assert (failed.name, failed.active) == ("cups.service", "failed")
    assert (ssh.load, ssh.active, ssh.sub) == ("loaded", "active", "running")
    assert (ssh.is_known, none.is_known) == (True, False)


def test_time_zone_and_synchronisation(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(
        timedate1.SERVICE, "timedated", Timezone="Europe/Stockholm", NTP=False
    )
    assert Timedate1(bus).settings() == TimeSettings(
        "Europe/Stockholm", can_ntp=True, is_ntp_on=False, is_synchronised=False
    )


@pytest.fixture
def networks(system_bus: PrivateBus, bus: Bus) -> Callable[..., str]:
    """Calls a method of NetworkManager's double."""
    system_bus.add_double(network_manager.SERVICE, "networkmanager")

    def call(method: str, signature: str, *arguments: object) -> str:
        path = "/org/freedesktop"
        service = network_manager.SERVICE
        return mock(bus, service, path, method, signature, *arguments)

    return call


def connect(networks: Callable[..., str], *, state: int) -> str:
    """Connect ``wlan0`` to a network whose name nobody is to learn."""
    wlan = networks("AddWiFiDevice", "(ssi)", "w", "wlan0", ACTIVATED)
    details = ("00:23:F8:7E:12:BB", 2, 2425, 5400, 82, 0x100)
    access_point = networks(
        "AddAccessPoint", "(ssssuuuyu)", wlan, "ap", "Annas hem", *details
    )
    settings = networks("AddWiFiConnection", "(ssss)", wlan, "c", "Annas hem", "")
    arguments = ([wlan], settings, access_point, "active", state)
    return networks("AddActiveConnection", "(assssu)", *arguments)


def test_what_is_connected_without_its_name(
    networks: Callable[..., str], bus: Bus
) -> None:
    networks("AddEthernetDevice", "(ssi)", "e", "eth0", 30)
    connect(networks, state=2)

    found = Networks(bus).network()

    expected = Connection("802-11-wireless", ("wlan0",))
    assert found == Network("full", (expected,))
    assert "Annas" not in repr(found)


def test_what_is_not_connected_yet_does_not_count(
    networks: Callable[..., str], bus: Bus
) -> None:
    connect(networks, state=1)
    assert Networks(bus).network() == Network("full", ())


def test_a_connection_that_ends_meanwhile_is_left_out(
    networks: Callable[..., str], bus: Bus
) -> None:
    active = connect(networks, state=2)
    networks("RemoveObject", "(s)", active)
    assert Networks(bus).network() == Network("full", ())


def test_a_device_that_ends_meanwhile_has_no_name(
    networks: Callable[..., str], bus: Bus
) -> None:
    connect(networks, state=2)
    networks("RemoveObject", "(s)", "/org/freedesktop/NetworkManager/Devices/w")
    found = Networks(bus).network()
    assert found.connections == (Connection("802-11-wireless", ()),)


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "unknown"), (1, "none"), (2, "portal"), (3, "limited"), (99, "unknown")],
)
def test_words_for_connectivity(
    networks: Callable[..., str], bus: Bus, number: int, word: str
) -> None:
    networks("SetConnectivity", "(u)", number)
    assert Networks(bus).network().connectivity == word


def test_a_computer_without_a_battery(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(upower.SERVICE, "upower")
    assert UPower(bus).power() == Power(is_on_battery=False, percentage=None)


def test_a_computer_on_battery(system_bus: PrivateBus, bus: Bus) -> None:
    system_bus.add_double(upower.SERVICE, "upower", OnBattery=True)
    battery = (2, 2, 57.5, 20.0, 40.0, 5.0, 3600, 0, True, "battery", 1)
    path = "/org/freedesktop/UPower"
    signature = "(uuddddxxbsu)"
    mock(bus, upower.SERVICE, path, "SetupDisplayDevice", signature, *battery)
    assert UPower(bus).power() == Power(is_on_battery=True, percentage=57.5)

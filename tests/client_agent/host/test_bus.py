import builtins
import contextlib
import importlib
import queue
import threading
from typing import Any

import pytest

from client_agent.host.bus import Bus, BusError, BusSignal
from client_agent.host.errors import FeatureAbsent
from client_agent.host.hostname1 import SERVICE as HOSTNAME
from client_agent.host.hostname1 import Hostname1
from tests.dbus_doubles.private_bus import PrivateBus

DAEMON = "org.freedesktop.DBus"
DAEMON_PATH = "/org/freedesktop/DBus"
MOCK = "org.freedesktop.DBus.Mock"
HOSTNAME_PATH = "/org/freedesktop/hostname1"


@pytest.fixture
def bus(system_bus: PrivateBus) -> Any:
    bus = Bus(system_bus.address)
    yield bus
    bus.close()


def call_daemon(bus: Bus, method: str, *arguments: str, answer: Any) -> Any:
    return bus.call(
        DAEMON,
        DAEMON_PATH,
        DAEMON,
        method,
        arguments,
        signature="(" + "s" * len(arguments) + ")",
        answer=answer,
    )


def add_hostname1(system_bus: PrivateBus, **properties: str) -> None:
    system_bus.add_double(HOSTNAME, "hostname1", **properties)


@pytest.mark.needs("dbus")
def test_a_call_gives_the_answer_in_the_type_asked_for(bus: Bus) -> None:
    assert call_daemon(bus, "NameHasOwner", DAEMON, answer=tuple[bool]) == (True,)


@pytest.mark.needs("dbus")
def test_an_answer_of_another_shape_is_an_error(bus: Bus) -> None:
    with pytest.raises(BusError) as caught:
        call_daemon(bus, "NameHasOwner", DAEMON, answer=tuple[str])
    assert caught.value.code == "bus-answer-unexpected"


@pytest.mark.needs("dbus")
def test_an_error_of_the_service_is_told(bus: Bus) -> None:
    with pytest.raises(BusError) as caught:
        call_daemon(bus, "RequestName", "not a name", answer=tuple[int])
    assert caught.value.code == "bus-failed"
    assert "InvalidArgs" in caught.value.detail


@pytest.mark.needs("dbus")
def test_a_property_and_all_properties(system_bus: PrivateBus, bus: Bus) -> None:
    add_hostname1(system_bus, Hostname="desk-7", Chassis="desktop")

    value = bus.get_property(HOSTNAME, HOSTNAME_PATH, HOSTNAME, "Chassis", answer=str)

    assert value == "desktop"
    assert Hostname1(bus).describe().hostname == "desk-7"
    assert Hostname1(bus).describe().hardware_model == ""


@pytest.mark.needs("dbus")
def test_a_missing_method_is_an_absent_feature(bus: Bus) -> None:
    with pytest.raises(FeatureAbsent) as caught:
        call_daemon(bus, "Sing", answer=tuple[()])
    assert (caught.value.code, caught.value.detail) == ("service-absent", DAEMON)


@pytest.mark.needs("dbus")
def test_a_missing_service_is_an_absent_feature(bus: Bus) -> None:
    with pytest.raises(FeatureAbsent) as caught:
        Hostname1(bus).describe()
    assert (caught.value.code, caught.value.detail) == ("service-absent", HOSTNAME)


@pytest.mark.needs("dbus")
def test_a_missing_bus_is_an_absent_feature(tmp_path: Any) -> None:
    with pytest.raises(FeatureAbsent) as caught:
        Hostname1(Bus(f"unix:path={tmp_path}/nothing")).describe()
    assert caught.value.code == "bus-absent"


def test_a_missing_library_is_an_absent_feature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_gi(name: str, package: str | None = None) -> Any:
        if name.partition(".")[0] in ("gi", "pydbus"):
            raise ModuleNotFoundError(name)
        return builtins.__import__(name)

    monkeypatch.setattr(importlib, "import_module", without_gi)
    with pytest.raises(FeatureAbsent) as caught:
        Hostname1(Bus()).describe()
    assert caught.value.code == "bus-library-absent"


@pytest.mark.needs("dbus")
def test_a_service_that_does_not_answer_is_given_up(
    system_bus: PrivateBus, bus: Bus
) -> None:
    add_hostname1(system_bus, Hostname="desk-7")
    slow = "import threading; threading.Event().wait(30)"
    bus.call(
        HOSTNAME,
        HOSTNAME_PATH,
        MOCK,
        "AddMethod",
        (HOSTNAME, "Slow", "", "", slow),
        signature="(sssss)",
        answer=tuple[()],
    )
    with pytest.raises(BusError) as caught:
        bus.call(
            HOSTNAME,
            HOSTNAME_PATH,
            HOSTNAME,
            "Slow",
            answer=tuple[()],
            timeout_seconds=0.3,
        )
    assert caught.value.code == "bus-timeout"
    (pid,) = call_daemon(bus, "GetConnectionUnixProcessID", HOSTNAME, answer=tuple[int])
    system_bus.end_double(pid)


@pytest.mark.needs("dbus")
def test_signals_arrive_in_order_in_the_queue_of_who_subscribed(
    system_bus: PrivateBus, bus: Bus
) -> None:
    add_hostname1(system_bus, Hostname="desk-7")
    received: queue.SimpleQueue[BusSignal] = queue.SimpleQueue()
    bus.subscribe(HOSTNAME, HOSTNAME, "Renamed", received.put, path=HOSTNAME_PATH)

    for name in ("a", "b", "c"):
        emit(bus, "Renamed", name)
        emit(bus, "Other", name)

    signals = [received.get(timeout=10) for _ in range(3)]
    assert [signal.arguments for signal in signals] == [("a",), ("b",), ("c",)]
    assert signals[0].path == HOSTNAME_PATH
    assert received.empty()


def emit(bus: Bus, name: str, argument: str) -> None:
    variant = bus.variant("s", argument)
    bus.call(
        HOSTNAME,
        HOSTNAME_PATH,
        MOCK,
        "EmitSignal",
        (HOSTNAME, name, "s", [variant]),
        signature="(sssav)",
        answer=tuple[()],
    )


@pytest.mark.needs("dbus")
def test_a_failing_receiver_harms_no_other(system_bus: PrivateBus, bus: Bus) -> None:
    add_hostname1(system_bus, Hostname="desk-7")
    received: queue.SimpleQueue[BusSignal] = queue.SimpleQueue()

    def broken(_signal: BusSignal) -> None:
        raise RuntimeError("broken")

    bus.subscribe(HOSTNAME, HOSTNAME, "Renamed", broken)
    bus.subscribe(HOSTNAME, HOSTNAME, "Renamed", received.put)
    emit(bus, "Renamed", "a")
    emit(bus, "Renamed", "b")

    assert received.get(timeout=10).arguments == ("a",)
    assert received.get(timeout=10).arguments == ("b",)


@pytest.mark.needs("dbus")
def test_a_restarted_bus_is_connected_to_again(
    system_bus: PrivateBus, bus: Bus
) -> None:
    add_hostname1(system_bus, Hostname="desk-7")
    received: queue.SimpleQueue[BusSignal] = queue.SimpleQueue()
    bus.subscribe(HOSTNAME, HOSTNAME, "Renamed", received.put)
    assert Hostname1(bus).describe().hostname == "desk-7"

    system_bus.restart()
    with contextlib.suppress(BusError):  # the loss itself may be told once
        Hostname1(bus).describe()
    assert Hostname1(bus).describe().hostname == "desk-7"
    emit(bus, "Renamed", "again")

    assert received.get(timeout=10).arguments == ("again",)


@pytest.mark.needs("dbus")
def test_closing_ends_the_thread(system_bus: PrivateBus) -> None:
    before = {thread.name for thread in threading.enumerate()}
    bus = Bus(system_bus.address)
    bus.subscribe(DAEMON, DAEMON, "NameOwnerChanged", lambda _signal: None)
    assert "bus-signals" in {thread.name for thread in threading.enumerate()}

    bus.close()

    assert {thread.name for thread in threading.enumerate()} == before

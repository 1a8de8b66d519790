import queue
from collections.abc import Iterator

import pytest

from client_agent.host.bus import Bus, BusSignal
from client_agent.host.errors import FeatureAbsent
from client_agent.host.login1 import SERVICE, Login1, Session
from tests.dbus_doubles.private_bus import PrivateBus

PATH = "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"
MOCK = "org.freedesktop.DBus.Mock"

pytestmark = pytest.mark.needs("dbus")


@pytest.fixture
def bus(system_bus: PrivateBus) -> Iterator[Bus]:
    system_bus.add_double(SERVICE, "logind")
    bus = Bus(system_bus.address)
    yield bus
    bus.close()


def add_session(bus: Bus, session: str, seat: str = "seat0") -> str:
    (path,) = bus.call(
        SERVICE,
        PATH,
        MOCK,
        "AddSession",
        (session, seat, 1001, "anna.andersson", True),
        signature="(ssusb)",
        answer=tuple[str],
    )
    return path


def set_property(bus: Bus, path: str, name: str, kind: str, value: object) -> None:
    bus.call(
        SERVICE,
        path,
        "org.freedesktop.DBus.Properties",
        "Set",
        ("org.freedesktop.login1.Session", name, bus.variant(kind, value)),
        signature="(ssv)",
        answer=tuple[()],
    )


def test_no_session_at_first(bus: Bus) -> None:
    assert Login1(bus).sessions() == []
    assert not Login1(bus).is_citizen_session_active()


def test_a_session_is_told_without_its_person(bus: Bus) -> None:
    add_session(bus, "c2")

    (session,) = Login1(bus).sessions()

    assert (session.id, session.uid, session.seat) == ("c2", 1001, "seat0")
    assert session.session_class == "user"
    assert "anna" not in repr(session)
    assert Login1(bus).is_citizen_session_active()


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("Class", "s", "greeter"),
        ("Class", "s", "lock-screen"),
        ("State", "s", "closing"),
        ("Remote", "b", True),
    ],
)
def test_who_is_no_citizen_at_the_seat(
    bus: Bus, name: str, kind: str, value: object
) -> None:
    path = add_session(bus, "c2")
    set_property(bus, path, name, kind, value)
    assert not Login1(bus).is_citizen_session_active()


def test_a_session_without_a_seat_is_nobody_at_the_computer() -> None:
    session = Session("c1", 0, "", "user", "tty", "active", is_remote=False)
    assert not session.is_of_citizen


def test_the_end_of_a_session_is_signalled(bus: Bus) -> None:
    path = add_session(bus, "c2")
    received: queue.SimpleQueue[BusSignal] = queue.SimpleQueue()
    Login1(bus).on_session_removed(received.put)

    bus.call(
        SERVICE,
        PATH,
        MOCK,
        "EmitSignal",
        (
            MANAGER,
            "SessionRemoved",
            "so",
            [bus.variant("s", "c2"), bus.variant("o", path)],
        ),
        signature="(sssav)",
        answer=tuple[()],
    )

    assert received.get(timeout=10).arguments == ("c2", path)


def test_without_logind_the_feature_is_absent(system_bus: PrivateBus) -> None:
    bus = Bus(system_bus.address)
    with pytest.raises(FeatureAbsent):
        Login1(bus).sessions()
    bus.close()

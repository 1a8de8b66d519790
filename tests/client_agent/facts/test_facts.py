import json
import os
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent import facts
from client_agent.facts import FACTS_BYTES, collect, within_bound
from client_agent.facts.agent import AGENT_VERSION
from client_agent.facts.features import SERVICES
from client_agent.host.bus import Bus
from client_agent.host.machine import read_machine
from client_agent.host.os_release import parse_os_release, read_os_release
from client_agent.protocol.facts import FactsRequest, facts_digest
from client_agent.protocol.types import Json
from client_agent.reconcile import Context
from tests.dbus_doubles.private_bus import PrivateBus

PROJECT = Path(facts.__file__).parents[2] / "pyproject.toml"
KINDS = {
    *("agent", "connections", "disks", "features", "hardware", "login", "network"),
    *("os", "power", "services", "time"),
}
MOCK = "org.freedesktop.DBus.Mock"
LOGIN = "org.freedesktop.login1"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, "desktop")


@pytest.fixture
def no_bus(tmp_path: Path) -> Bus:
    return Bus(f"unix:path={tmp_path}/nothing")


@pytest.fixture
def bus(system_bus: PrivateBus) -> Iterator[Bus]:
    bus = Bus(system_bus.address)
    yield bus
    bus.close()


def test_all_kinds_without_any_service(context: Context, no_bus: Bus) -> None:
    found: dict[str, Any] = collect(context, bus=no_bus)
    assert set(found) == KINDS
    assert set(found["features"].values()) == {"absent"}
    assert found["hardware"]["memory_bytes"] > 0
    assert found["hardware"]["cpu_threads"] == psutil.cpu_count()
    assert found["agent"]["product"] == "desktop"
    for kind in ("connections", "login", "power", "services", "time"):
        assert found[kind]["code"] in ("bus-absent", "bus-library-absent")
    assert len(msgspec.json.encode(found)) < FACTS_BYTES


def test_two_collections_in_a_row_are_equal(context: Context, no_bus: Bus) -> None:
    first = collect(context, bus=no_bus)
    assert facts_digest(first) == facts_digest(collect(context, bus=no_bus))
    request = FactsRequest(changed=first, digest=facts_digest(first))
    sent = msgspec.json.decode(msgspec.json.encode(request), type=FactsRequest)
    assert sent == request


def call_daemon(bus: Bus, method: str, *arguments: str, answer: Any) -> Any:
    service, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    signature = "(" + "s" * len(arguments) + ")"
    return bus.call(
        service, path, service, method, arguments, signature=signature, answer=answer
    )


@pytest.mark.needs("dbus")
def test_services_are_named_and_not_started(
    context: Context, system_bus: PrivateBus, bus: Bus
) -> None:
    system_bus.add_double("org.freedesktop.hostname1", "hostname1", Chassis="laptop")
    system_bus.add_double("org.freedesktop.UDisks2", "upower")
    call_daemon(bus, "ReloadConfig", answer=tuple[()])

    found: dict[str, Any] = collect(context, bus=bus)

    present = {name for name, said in found["features"].items() if said == "present"}
    assert present == {"dbus", "hostname1", "udisks2"}
    assert set(found["features"]) == {"dbus", *SERVICES}
    assert found["hardware"]["chassis"] == "laptop"
    assert found["login"] == {"code": "service-absent"}
    udisks = "org.freedesktop.UDisks2"
    (is_running,) = call_daemon(bus, "NameHasOwner", udisks, answer=tuple[bool])
    assert not is_running


@pytest.mark.needs("dbus")
def test_somebody_is_there_but_not_who(
    context: Context, system_bus: PrivateBus, bus: Bus
) -> None:
    system_bus.add_double(LOGIN, "logind")
    bus.call(
        LOGIN,
        "/org/freedesktop/login1",
        MOCK,
        "AddSession",
        ("c2", "seat0", 1001, "anna.andersson", True),
        signature="(ssusb)",
        answer=tuple[str],
    )

    found: dict[str, Any] = collect(context, bus=bus)

    assert found["login"]["is_citizen_session_active"] is True
    assert found["login"]["seats"] == ["seat0"]
    assert "anna" not in json.dumps(found)
    assert "1001" not in json.dumps(found["login"])


Partition = namedtuple("Partition", "device mountpoint fstype opts")


def test_what_people_bring_and_where_they_live_is_left_out(
    context: Context, no_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = [
        Partition("/dev/sda1", "/", "ext4", "rw"),
        Partition("/dev/sdb1", "/media/anna/ANNAS USB", "vfat", "rw"),
        Partition("/dev/sdb2", "/run/media/anna/x", "vfat", "rw"),
        Partition("/dev/sda2", "/home/anna", "ext4", "rw"),
        Partition("/dev/loop1", "/snap/core/1", "squashfs", "ro"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions)
    found: dict[str, Any] = collect(context, bus=no_bus)
    assert [disk["mountpoint"] for disk in found["disks"]] == ["/"]
    assert "anna" not in json.dumps(found)


def test_a_kind_that_fails_is_absent_and_the_others_are_there(
    context: Context, no_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> Json:
        raise RuntimeError("no network")

    monkeypatch.setattr(facts, "network", fails)
    assert set(collect(context, bus=no_bus)) == KINDS - {"network"}


def test_the_version_is_the_project_s() -> None:
    assert tomllib.loads(PROJECT.read_text())["project"]["version"] == AGENT_VERSION


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text("ab"), inner, max_size=3)
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(KINDS)),
        st.one_of(
            JSON,
            st.text(min_size=500, max_size=900),
            JSON.map(lambda value: [[value] * 200] * 40),
            st.text(max_size=3).map(lambda text: [[text * 90] * 40] * 40),
        ),
    )
)
def test_whatever_is_found_fits(found: dict[str, Json]) -> None:
    bounded = within_bound(found)
    assert len(msgspec.json.encode(bounded)) <= FACTS_BYTES
    assert set(bounded) - {"omitted"} <= set(found)
    assert set(found) - set(bounded) == set(bounded.get("omitted", []))  # type: ignore[arg-type]
    assert "\\u0000" not in json.dumps(bounded)


@given(st.binary(max_size=300))
def test_any_os_release_is_read(raw: bytes) -> None:
    assert all(isinstance(value, str) for value in parse_os_release(raw).values())


def test_os_release_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/lib").mkdir(parents=True)
    own = tmp_path / "usr/lib/os-release"
    own.write_text("ID=debian\n# no\nPRETTY_NAME=\"Debian 'x' 13\"\nBROKEN='\n=x\n")
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    assert read_os_release(tmp_path) == {"ID": "debian", "PRETTY_NAME": "Debian 'x' 13"}


def test_a_machine_by_its_dmi(tmp_path: Path) -> None:
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text("Norrby Datorer AB\n")
    (dmi / "product_name").write_text("Default string\n")
    (dmi / "product_serial").write_text("To be filled by O.E.M.\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor: 0\nmodel name\t: Fast (R)\n")

    machine = read_machine(tmp_path)

    assert (machine.vendor, machine.cpu) == ("Norrby Datorer AB", "Fast (R)")
    assert (machine.model, machine.serial, machine.firmware) == ("", "", "")


def test_a_board_by_its_device_tree(tmp_path: Path) -> None:
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "model").write_bytes(b"Small Board 4\0")
    (tree / "serial-number").write_bytes(b"1000abcd\0")
    machine = read_machine(tmp_path)
    assert (machine.model, machine.serial) == ("Small Board 4", "1000abcd")


def test_host_name_and_kernel_are_the_running_ones(
    context: Context, no_bus: Bus
) -> None:
    found: dict[str, Any] = collect(context, bus=no_bus)
    assert found["os"]["host_name"] == os.uname().nodename
    assert found["os"]["kernel"] == os.uname().release

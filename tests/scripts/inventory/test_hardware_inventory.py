import pytest

from tests.scripts.fake_computer import FakeComputer

SCRIPT = "inventory/hardware-inventory"

CPU_BLOCK = """\
processor\t: {thread}
model name\t: Example(R)  Core  i5 CPU
physical id\t: 0
core id\t\t: {core}
"""


@pytest.fixture
def office_pc(computer: FakeComputer) -> FakeComputer:
    for name, text in {
        "sys_vendor": "Example Inc.",
        "product_name": "Desk 7000",
        "product_serial": "SN-12345",
        "bios_vendor": "Firmware Ltd",
        "bios_version": "1.2.3",
        "bios_date": "01/31/2024",
    }.items():
        computer.write(f"sys/class/dmi/id/{name}", f"{text}\n")
    blocks = [CPU_BLOCK.format(thread=thread, core=thread // 2) for thread in range(4)]
    computer.write("proc/cpuinfo", "\n".join(blocks))
    computer.write("proc/meminfo", "MemTotal:        8043520 kB\nMemFree: 1 kB\n")
    computer.write("etc/os-release", 'ID=debian\nPRETTY_NAME="Debian 12"\n')
    _disk(computer, "sdb", size=8, rotating=1, model="Stick   2", removable=1)
    _disk(computer, "sda", size=500_118_192, rotating=0, model="Example SSD 256 ")
    _disk(computer, "loop0", size=1000, rotating=0, model="")
    _disk(computer, "sdc", size=0, rotating=0, model="Card reader")
    computer.write("sys/class/net/lo/address", "00:00:00:00:00:00\n")
    _network(computer, "wlp2s0", "02:00:00:00:00:02", state="down", speed="-1")
    computer.write("sys/class/net/wlp2s0/wireless/status", "0")
    _network(computer, "eno1", "02:00:00:00:00:01", state="up", speed="1000")
    return computer


def _disk(
    computer: FakeComputer,
    name: str,
    *,
    size: int,
    rotating: int,
    model: str,
    removable: int = 0,
) -> None:
    base = f"sys/block/{name}"
    computer.write(f"{base}/size", f"{size}\n")
    computer.write(f"{base}/queue/rotational", f"{rotating}\n")
    computer.write(f"{base}/removable", f"{removable}\n")
    computer.write(f"{base}/device/model", model)


def _network(
    computer: FakeComputer, name: str, address: str, *, state: str, speed: str
) -> None:
    base = f"sys/class/net/{name}"
    computer.write(f"{base}/address", f"{address}\n")
    computer.write(f"{base}/operstate", f"{state}\n")
    computer.write(f"{base}/speed", f"{speed}\n")
    computer.write(f"{base}/device/vendor", "0x8086")


def test_lists_what_the_computer_is_made_of(office_pc: FakeComputer) -> None:
    outcome = office_pc.run(SCRIPT)

    assert outcome.status == 0
    assert outcome.lines == [
        "Reading the hardware",
        "Computer: Example Inc. Desk 7000, serial number SN-12345",
        "Firmware: Firmware Ltd 1.2.3 (01/31/2024)",
        "Processor: Example(R) Core i5 CPU, 2 cores, 4 threads",
        "Memory: 7.7 GiB",
        "System: Debian 12",
        "Disk sda: Example SSD 256, 238.5 GiB, solid state",
        "Disk sdb: Stick 2, 4.0 KiB, rotating, removable",
        "Network eno1: 02:00:00:00:00:01, up, 1000 Mbit/s",
        "Network wlp2s0: 02:00:00:00:00:02, down",
    ]
    assert outcome.fields["serial"] == "SN-12345"
    assert outcome.fields["memory_bytes"] == 8043520 * 1024
    assert (outcome.fields["cores"], outcome.fields["threads"]) == (2, 4)
    assert [disk["name"] for disk in outcome.fields["disks"]] == ["sda", "sdb"]
    assert [card["is_wireless"] for card in outcome.fields["networks"]] == [False, True]


def test_says_the_same_twice_and_changes_nothing(office_pc: FakeComputer) -> None:
    before = office_pc.files()

    assert office_pc.run(SCRIPT) == office_pc.run(SCRIPT)
    assert office_pc.files() == before


def test_leaves_out_what_the_maker_never_filled_in(computer: FakeComputer) -> None:
    for name in ("sys_vendor", "product_name", "product_serial"):
        computer.write(f"sys/class/dmi/id/{name}", "To Be Filled By O.E.M.\n")

    outcome = computer.run(SCRIPT)

    assert outcome.lines[1] == "Computer: unknown, serial number unknown"
    assert outcome.fields["model"] == ""


def test_knows_a_board_without_dmi(computer: FakeComputer) -> None:
    computer.write("proc/device-tree/model", "Example Board 4\0")
    computer.write("proc/device-tree/serial-number", "abc\0")
    computer.write("proc/cpuinfo", "processor : 0\nBogoMIPS : 1\n\nprocessor : 1\n")

    fields = computer.run(SCRIPT).fields

    assert (fields["model"], fields["serial"]) == ("Example Board 4", "abc")
    assert (fields["cores"], fields["threads"]) == (2, 2)


def test_ends_well_on_a_computer_that_tells_rubbish(office_pc: FakeComputer) -> None:
    office_pc.write("proc/meminfo", "\ufffd\x00\x01")
    office_pc.write("proc/cpuinfo", ":::\n\n::")
    office_pc.write("sys/block/sda/size", "many\n")
    office_pc.write("etc/os-release", 'PRETTY_NAME="never closed\n')
    office_pc.write("sys/class/dmi/id/product_name", "two\nlines\x1b[2J")

    outcome = office_pc.run(SCRIPT)

    assert outcome.status == 0
    assert outcome.fields["memory_bytes"] == 0
    assert "\x1b" not in "".join(outcome.lines)


@pytest.mark.parametrize("arguments", [{"verbose": True}, [], "x", 5])
def test_refuses_arguments(computer: FakeComputer, arguments: object) -> None:
    outcome = computer.run(SCRIPT, arguments)

    assert outcome.status == 2
    assert outcome.fields["error"] in ("arguments-invalid", "input-invalid")

import json

import pytest

from tests.scripts.fake_computer import FakeComputer

SCRIPT = "disks/disk-report"

DF = """\
Type      1B-blocks        Used       Avail  Inodes  IUsed Mounted on
ext4   100000000000 40000000000 55000000000 6000000 300000 /
vfat      500000000    10000000   490000000       -      - /boot/efi
ext4    50000000000 46000000000  4000000000 1000000 999000 /home with space
"""

SCAN = {"devices": [{"name": "/dev/sdb", "type": "sat"}, {"name": "/dev/sda"}]}


def _with_smartctl(computer: FakeComputer, report: object) -> None:
    computer.write("answers/scan", json.dumps(SCAN))
    computer.write("answers/report", json.dumps(report))
    body = """\
case "$*" in *--scan*) name=scan;; *) name=report;; esac
IFS= read -r line < "$CITIZENPC_ROOT/answers/$name" || :
printf '%s\\n' "$line"
exit 4
"""
    computer.program("smartctl", body=body)


def test_lists_file_systems_and_warns(computer: FakeComputer) -> None:
    computer.program("df", DF)

    outcome = computer.run(SCRIPT)

    assert outcome.status == 0
    assert outcome.lines == [
        "Looking at the file systems",
        "/ (ext4): 43 % used, 37.3 GiB of 93.1 GiB, 51.2 GiB free, 5 % of inodes",
        "/boot/efi (vfat): 2 % used, 9.5 MiB of 476.8 MiB, 467.3 MiB free, "
        "0 % of inodes",
        "/home with space (ext4): 92 % used, 42.8 GiB of 46.6 GiB, 3.7 GiB free, "
        "100 % of inodes",
        "Warning: /home with space has used 92 % of its space",
        "Warning: /home with space has used 100 % of its inodes",
        "The disks' own health is not available",
    ]
    assert outcome.fields["warnings"] == 2
    assert outcome.fields["fullest_percent"] == 92
    assert outcome.fields["smart"] == "not-available"
    assert outcome.fields["filesystems"][1] == {
        "mount": "/boot/efi",
        "type": "vfat",
        "size_bytes": 500000000,
        "used_bytes": 10000000,
        "free_bytes": 490000000,
        "used_percent": 2,
        "inodes_percent": 0,
    }


@pytest.mark.parametrize(
    ("warn_percent", "warnings"), [(50, 2), (91, 2), (92, 1), (99, 1)]
)
def test_warns_above_the_threshold_only(
    computer: FakeComputer, warn_percent: int, warnings: int
) -> None:
    computer.program("df", DF)

    outcome = computer.run(SCRIPT, {"warn-percent": warn_percent})

    assert outcome.fields["warnings"] == warnings


def test_tells_what_disks_say_of_their_health(computer: FakeComputer) -> None:
    computer.program("df", DF.replace("4600", "1600"))
    _with_smartctl(
        computer,
        {
            "model_name": "Example SSD",
            "smart_status": {"passed": False},
            "temperature": {"current": 41},
            "power_on_time": {"hours": 12345},
        },
    )

    outcome = computer.run(SCRIPT)

    assert "/dev/sda Example SSD: health failed, 41 degrees, 12345 hours" in (
        outcome.lines
    )
    assert "Warning: /dev/sdb says that it is failing; replace it soon" in outcome.lines
    assert outcome.fields["smart"] == "failed"
    assert [disk["name"] for disk in outcome.fields["disks"]] == [
        "/dev/sda",
        "/dev/sdb",
    ]
    asked = computer.calls("smartctl")
    assert [words[-2:] for words in asked[1:]] == [
        ["auto", "/dev/sda"],
        ["sat", "/dev/sdb"],
    ]


@pytest.mark.parametrize(
    "report", [[], {"smart_status": [], "temperature": {"current": "hot"}}, "x", None]
)
def test_health_stays_unknown_when_smartctl_tells_rubbish(
    computer: FakeComputer, report: object
) -> None:
    computer.program("df", DF)
    _with_smartctl(computer, report)

    outcome = computer.run(SCRIPT)

    assert outcome.status == 0
    assert outcome.fields["smart"] == "unknown"


def test_says_the_same_twice_and_changes_nothing(computer: FakeComputer) -> None:
    computer.program("df", DF)
    _with_smartctl(computer, {"smart_status": {"passed": True}})
    before = computer.files()

    first = computer.run(SCRIPT)

    assert first == computer.run(SCRIPT)
    assert first.fields["smart"] == "passed"
    assert computer.files() == before


def test_one_mount_that_cannot_be_read_spoils_nothing(computer: FakeComputer) -> None:
    computer.program("df", DF, status=1)

    assert computer.run(SCRIPT).status == 0


def test_fails_when_df_tells_nothing(computer: FakeComputer) -> None:
    computer.program("df", "", status=1)

    outcome = computer.run(SCRIPT)

    assert (outcome.status, outcome.fields) == (1, {"error": "filesystems-unknown"})


def test_fails_without_df(computer: FakeComputer) -> None:
    outcome = computer.run(SCRIPT)

    assert (outcome.status, outcome.fields) == (1, {"error": "program-missing"})


@pytest.mark.parametrize("value", [49, 100, "90", 90.0, True, [90]])
def test_refuses_bad_thresholds(computer: FakeComputer, value: object) -> None:
    computer.program("df", DF)

    outcome = computer.run(SCRIPT, {"warn-percent": value})

    assert (outcome.status, outcome.fields) == (2, {"error": "arguments-invalid"})
    assert outcome.lines[0] == "Looking at the file systems"
    assert computer.calls("df") == []

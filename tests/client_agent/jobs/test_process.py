"""Programs in a session of their own, ended with all that they start."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from client_agent.host.errors import HostError
from client_agent.host.process import (
    Cgroup,
    Cgroups,
    Identity,
    Limits,
    Process,
    kill_leftover,
    output_of,
    start,
    start_ticks_of,
)
from tests.fakes.agent import eventually

PLENTY = Limits(memory_bytes=2**30)
UNIFIED = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


def play(
    script: str,
    scene: Callable[[Process, list[bytes]], Awaitable[object]],
    *,
    limits: Limits = PLENTY,
    cgroup: Cgroup | None = None,
    stdin: bytes = b"",
) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        output: list[bytes] = []
        process = await start(
            ["/bin/sh", "-c", script],
            cwd=Path("/"),
            env={"PATH": "/usr/bin:/bin"},
            stdin=stdin,
            limits=limits,
            on_output=output.append,
            cgroup=cgroup,
        )
        await scene(process, output)
        return await asyncio.wait_for(process.wait(), 20), b"".join(output)

    return asyncio.run(run())


async def nothing(process: Process, output: list[bytes]) -> None:
    """The program ends by itself."""


async def first_output(output: list[bytes]) -> None:
    while not output:
        await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_output_status_and_input() -> None:
    status, output = play("cat; echo err >&2; exit 7", nothing, stdin=b"in\n")
    assert (status, output) == (7, b"in\nerr\n")


def test_large_input_that_nobody_reads() -> None:
    assert play("exit 0", nothing, stdin=b"x" * 2**20) == (0, b"")


def test_end_is_polite_first() -> None:
    async def scene(process: Process, output: list[bytes]) -> None:
        await first_output(output)
        process.end()

    script = "trap 'echo bye; exit 5' TERM; echo on; while :; do sleep 0.05; done"
    status, output = play(script, scene)
    assert status == 5
    assert output.endswith(b"bye\n")


def test_leaving_the_session_does_not_keep_the_agent_waiting() -> None:
    status, output = play("setsid sleep 30 & echo $!", nothing)
    assert status == 0
    os.kill(int(output), 9)


def test_memory_is_limited() -> None:
    status, _ = play(
        "exec /usr/bin/env python3 -c 'x = bytearray(500_000_000)'",
        nothing,
        limits=Limits(memory_bytes=100_000_000),
    )
    assert status != 0


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["/nowhere"], "interpreter-missing"),
        (["/etc/passwd"], "not-executable"),
        (["/bin/true", "x" * 3_000_000], "arguments-too-long"),
    ],
)
def test_what_cannot_start_is_told(argv: list[str], code: str) -> None:
    async def run() -> None:
        await start(
            argv,
            cwd=Path("/"),
            env={},
            stdin=b"",
            limits=PLENTY,
            on_output=lambda data: None,
        )

    with pytest.raises(HostError) as caught:
        asyncio.run(run())
    assert caught.value.code == code


def test_file_that_is_still_open_is_waited_for(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"#!/bin/sh\necho ran\n")
    script.chmod(0o700)

    async def run() -> list[bytes]:
        output: list[bytes] = []
        with script.open("ab") as writer:
            asyncio.get_running_loop().call_later(0.1, writer.close)
            process = await start(
                [str(script)],
                cwd=tmp_path,
                env={},
                stdin=b"",
                limits=PLENTY,
                on_output=output.append,
            )
        await process.wait()
        return output

    assert asyncio.run(run()) == [b"ran\n"]


def test_leftovers_are_killed_only_if_they_are_the_same() -> None:
    async def scene(process: Process, output: list[bytes]) -> None:
        pid, ticks = process.identity.pid, process.identity.start_ticks
        kill_leftover(Identity(pid, ticks + 1))
        assert is_running(pid)
        kill_leftover(Identity(pid, ticks))

    status, _ = play("sleep 30", scene)
    assert status == -9
    assert start_ticks_of(2**22 + 1) is None


def _writable_cgroup() -> Path | None:
    for parent in UNIFIED:
        if (parent / "cgroup.procs").exists() and os.access(parent, os.W_OK):
            return parent
    return None


@pytest.mark.needs("root")
def test_cgroup_takes_what_left_the_session() -> None:
    parent = _writable_cgroup()
    if parent is None:
        assert Cgroups.delegated() is None
        return
    group = Cgroups(parent).make(f"citizenpc-test-{os.getpid()}", PLENTY)
    assert group is not None
    script = "sleep 0.2; setsid sleep 30 & echo $!; sleep 0.2"
    try:
        status, output = play(script, nothing, cgroup=group)
        assert status == 0
        eventually(lambda: not is_running(int(output)))
    finally:
        group.remove()


def write(script: str, **changes: Any) -> bytes:
    """What a short-lived shell writes."""
    options: dict[str, Any] = {
        "stdin": b"",
        "cwd": Path("/"),
        "user": (os.geteuid(), os.getegid()),
        "seconds": 10.0,
        "most_bytes": 1000,
        **changes,
    }
    return output_of(["/bin/sh", "-c", script], **options)


def test_a_short_program_gets_its_input_and_no_environment() -> None:
    assert write("cat; env | grep -c HOME", stdin=b"in ") == b"in 0\n"


def test_a_program_that_writes_without_end_is_cut() -> None:
    assert write("while :; do echo y; done", most_bytes=6) == b"y\ny\ny\n"


def test_a_program_that_never_ends_is_killed() -> None:
    assert write("echo begun; exec cat /dev/zero >/dev/null", seconds=0.5) in (
        b"begun\n",
        b"",  # on a busy machine
    )


def test_a_program_that_does_not_read_is_no_error() -> None:
    assert write("echo done", stdin=b"x" * 5000) == b"done\n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(HostError, match="start-failed"):
        write("", cwd=Path("/nowhere"))


@pytest.mark.needs("root")
def test_a_short_program_of_another_user_has_no_group_of_ours() -> None:
    nobody = 65534
    assert write("id -u; id -g; id -G", user=(nobody, nobody)) == b"65534\n" * 3

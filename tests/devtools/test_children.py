import signal
import sys
from pathlib import Path

import pytest

from devtools import children

STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "code = 'import time; time.sleep(99)'\n"
    "grandchild = subprocess.Popen([sys.executable, '-c', code])\n"
    "print('ready', grandchild.pid, flush=True)\n"
    "time.sleep(99)\n"
)


def python(code: str, log: Path) -> children.Child:
    return children.spawn("program", [sys.executable, "-c", code], log=log)


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    child = python("print('hello')", tmp_path / "new" / "log")
    assert child.process.wait(30) == 0
    assert child.log_tail() == "hello"


def test_stop_ends_what_ignores_it_and_what_it_started(tmp_path: Path) -> None:
    child = python(STUBBORN, tmp_path / "log")
    child.wait_until(lambda: "ready" in child.log_tail())
    grandchild = int(child.log_tail().split()[1])
    assert child.stop(timeout_seconds=0.1) == -signal.SIGKILL
    children.wait_until(lambda: not children.command_line(grandchild), "the end")
    assert not child.is_running()
    assert child.stop() == -signal.SIGKILL


def test_program_that_ends_before_it_is_ready(tmp_path: Path) -> None:
    child = python("raise SystemExit('no licence')", tmp_path / "log")
    with pytest.raises(children.ChildError, match=r"status 1(.|\n)*no licence"):
        child.wait_until(lambda: False)


def test_deadline(tmp_path: Path) -> None:
    child = python("import time; time.sleep(99)", tmp_path / "log")
    with pytest.raises(children.DeadlinePassed, match="program to be ready"):
        child.wait_until(lambda: False, timeout_seconds=0.05)
    assert child.is_running()
    child.stop()


def test_unknown_program(tmp_path: Path) -> None:
    with pytest.raises(children.ChildError, match="could not be started"):
        children.spawn("program", [str(tmp_path / "none")], log=tmp_path / "log")


def test_stranger_is_ended(tmp_path: Path) -> None:
    child = python(
        "import time; print('on', flush=True); time.sleep(99)", tmp_path / "l"
    )
    child.wait_until(lambda: child.log_tail() == "on")
    children.end_stranger(child.pid, timeout_seconds=5)
    assert not child.is_running()

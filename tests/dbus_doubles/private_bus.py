"""A real D-Bus daemon of one test's own, which starts doubles when they are called.

Each double is a python-dbusmock template: one that comes with it, by name, or a file in
this folder.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOUBLES = Path(__file__).parent

_CONFIG = """<!DOCTYPE busconfig
 PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>{address}</listen>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """`address` is its only socket; doubles are added before or while it runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.address = f"unix:path={directory}/bus"
        self._config = directory / "bus.conf"
        text = _CONFIG.format(address=self.address, services=directory)
        self._config.write_text(text)
        self._daemon = self._start()

    def add_double(self, service: str, template: str, **parameters: Any) -> None:
        """Let the daemon start `template` at the first call to `service`."""
        own = DOUBLES / f"{template}.py"
        arguments = [
            sys.executable,
            "-m",
            "dbusmock",
            "--template",
            str(own) if own.exists() else template,
            "--parameters",
            json.dumps(parameters),
        ]
        script = self.directory / f"{service}.sh"
        script.write_text("#!/bin/sh\nexec " + " ".join(map(_quoted, arguments)) + "\n")
        script.chmod(0o755)
        (self.directory / f"{service}.service").write_text(
            f"[D-BUS Service]\nName={service}\nExec={script}\nUser=root\n"
        )

    def end_double(self, pid: int) -> None:
        """End a double that no longer notices the end of its connection."""
        os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """End the daemon and start another on the same socket."""
        self.stop()
        self._daemon = self._start()

    def stop(self) -> None:
        """End the daemon; doubles end with their connection."""
        self._daemon.terminate()
        self._daemon.communicate(timeout=10)
        (self.directory / "bus").unlink(missing_ok=True)

    def _start(self) -> "subprocess.Popen[str]":
        daemon = subprocess.Popen(
            [
                "dbus-daemon",
                f"--config-file={self._config}",
                "--nofork",
                "--print-address",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address},
        )
        assert daemon.stdout is not None
        assert daemon.stdout.readline().startswith("unix:"), "no D-Bus daemon"
        return daemon


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _import_libraries() -> None:
    """Older ones warn when imported, which would count as the test's error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("gi.repository.GLib", "gi.repository.Gio", "pydbus"):
            importlib.import_module(name)


@contextmanager
def private_bus(directory: Path) -> Iterator[PrivateBus]:
    """Run a bus whose socket and service files are in `directory`, a short path."""
    _import_libraries()
    bus = PrivateBus(directory)
    try:
        yield bus
    finally:
        bus.stop()

"""A computer made of files and small programs, for scripts to run on."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client_agent.scriptlib.interpreter import argv_for, env_for
from scripts.index import EXECUTABLE_NAME, LIBRARY_ROOT

_RECORD = "\036"
_FIELD = "\037"

# Shell built-ins only: nothing of the real system is on the fake computer's PATH.
_FAKE = """\
#!/bin/sh
{{ printf '{name}'; for word; do printf '\\037%s' "$word"; done; printf '\\036'; }} \
>> "$CITIZENPC_ROOT/calls"
{body}
"""

_PASS_ON = """\
while :; do case "$1" in --*) shift;; *) break;; esac; done
exec "$@"
"""


@dataclass(frozen=True)
class Outcome:
    """How a script ended: its lines without the last, and the last as fields."""

    status: int
    lines: list[str]
    fields: dict[str, Any]


class FakeComputer:
    """`root` stands for ``/``; programs of the fake are the only ones on PATH."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/version", "a kernel")
        self.programs = root / "usr/bin"
        self.programs.mkdir(parents=True)

    def write(self, path: str, content: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")

    def program(
        self, name: str, output: str = "", *, status: int = 0, body: str = ""
    ) -> None:
        """Put a program on PATH that notes its call, then prints and ends so."""
        self.write(f"answers/{name}", output)
        answer = (
            "while IFS= read -r line; do printf '%s\\n' \"$line\"; done "
            f'< "$CITIZENPC_ROOT/answers/{name}"\nexit {status}'
        )
        path = self.programs / name
        path.write_text(_FAKE.format(name=name, body=body or answer))
        path.chmod(0o755)

    def program_passing_on(self, name: str) -> None:
        """A program that runs what stands behind its options."""
        self.program(name, body=_PASS_ON)

    def booted_by_systemd(self, sessions: Mapping[str, Mapping[str, str]]) -> None:
        """Give the computer a logind that knows `sessions`: id to properties."""
        (self.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        cases = "\n".join(
            f"'show-session {id_}') {_printf(properties)};;"
            for id_, properties in sessions.items()
        )
        listed = "".join(f"{id_} 1000 someone seat0 -\\n" for id_ in sessions)
        body = f"""case "$1 $2" in
'list-sessions --no-legend') printf '{listed}';;
{cases}
'show-user '*) printf 'GID=100\\n';;
*) exit 1;;
esac
"""
        self.program("loginctl", body=body)

    def calls(self, name: str) -> list[list[str]]:
        """Arguments of each call of the program `name`, in order."""
        log = self.root / "calls"
        records = log.read_text().split(_RECORD)[:-1] if log.exists() else []
        calls = [record.split(_FIELD) for record in records]
        return [words[1:] for words in calls if words[0] == name]

    def run(
        self,
        script: str,
        arguments: object = None,
        *,
        options: Sequence[str] = (),
        stdin: bytes | None = None,
    ) -> Outcome:
        """Start the library's `script` (category/slug) as the agent does."""
        executable = LIBRARY_ROOT / script / EXECUTABLE_NAME
        given = json.dumps({} if arguments is None else arguments).encode()
        process = subprocess.run(
            [*argv_for(executable, executable.read_bytes()[:128]), *options],
            input=given if stdin is None else stdin,
            env={**env_for(self.root), "PATH": str(self.programs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            timeout=60,
            check=False,
        )
        lines = process.stdout.decode().splitlines()
        return Outcome(process.returncode, lines[:-1], json.loads(lines[-1]))

    def files(self) -> dict[str, bytes]:
        """Every file but the log of calls, to see that nothing was changed."""
        return {
            os.path.relpath(path, self.root): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name != "calls"
        }


def _printf(properties: Mapping[str, str]) -> str:
    words = " ".join(f"'{name}={value}'" for name, value in properties.items())
    return f"printf '%s\\n' {words}"

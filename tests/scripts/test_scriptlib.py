"""The helper of library scripts, seen from scripts that use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from client_agent.scriptlib.interpreter import (
    PYTHON_SHEBANG,
    SYSTEM_PATH,
    argv_for,
    env_for,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    root = tmp_path / "sandbox"
    (root / "usr/bin").mkdir(parents=True)
    return root


def _run(
    sandbox: Path, code: str, *options: str, stdin: bytes = b"", **extra: str
) -> subprocess.CompletedProcess[bytes]:
    script = sandbox / "job" / "run"
    script.parent.mkdir(exist_ok=True)
    head = PYTHON_SHEBANG + b"\nfrom client_agent.scriptlib import *\n"
    script.write_bytes(head + code.encode())
    return subprocess.run(
        [*argv_for(script, head), *options],
        input=stdin,
        env={**env_for(sandbox), **extra},
        cwd=script.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )


def _last_line(process: subprocess.CompletedProcess[bytes]) -> object:
    return json.loads(process.stdout.splitlines()[-1])


def test_python_scripts_run_under_this_interpreter() -> None:
    argv = argv_for(Path("/job/run"), PYTHON_SHEBANG + b"\r\nimport os\n")

    assert argv[0] == sys.executable
    assert argv[-1] == "/job/run"


@pytest.mark.parametrize(
    "head", [b"#!/bin/sh\n", b"", b"\x7fELF", PYTHON_SHEBANG + b"3\n", b"\n"]
)
def test_other_executables_are_left_to_the_kernel(head: bytes) -> None:
    assert argv_for(Path("/job/run"), head) == ["/job/run"]


def test_environment_of_a_computer_names_no_sandbox() -> None:
    environment = env_for()

    assert environment["PATH"] == SYSTEM_PATH
    assert "CITIZENPC_ROOT" not in environment
    assert "CREDENTIALS_DIRECTORY" not in environment


def test_environment_passes_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITIZENPC_MASTER_KEY_FILE", "/somewhere")

    assert set(env_for(Path("/sandbox"), credentials=Path("/run/x"))) == {
        "PATH",
        "LANG",
        "LC_ALL",
        "PYTHONPATH",
        "CITIZENPC_ROOT",
        "CREDENTIALS_DIRECTORY",
    }


def test_files_beside_a_script_are_not_imported(sandbox: Path) -> None:
    (sandbox / "job").mkdir()
    for name in ("json", "msgspec", "runpy", "subprocess"):
        (sandbox / "job" / f"{name}.py").write_text("raise SystemExit(77)\n")

    process = _run(sandbox, "import json, runpy, subprocess\nresult({'ok': True})")

    assert (process.returncode, _last_line(process)) == (0, {"ok": True})


def test_first_line_comes_before_anything_is_read(sandbox: Path) -> None:
    script = sandbox / "run"
    head = PYTHON_SHEBANG + b"\nfrom client_agent.scriptlib import *\n"
    script.write_bytes(head + b"say('here')\nparameters()\nresult({})\n")
    process = subprocess.Popen(
        argv_for(script, head),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env_for(sandbox),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.stdin.close()
        assert process.stdout.read() == b"{}\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ([], {"n": 1, "on": False, "s": ""}),
        (["--n", "5", "--on=true", "--s", "5"], {"n": 5, "on": True, "s": "5"}),
        (["--s=--n=7"], {"n": 1, "on": False, "s": "--n=7"}),
    ],
)
def test_arguments_as_named_options(
    sandbox: Path, options: list[str], given: object
) -> None:
    code = (
        "result(parameters(integer('n', minimum=0, maximum=9, default=1), "
        "boolean('on', default=False), string('s', max_length=9, default='')))"
    )

    assert _last_line(_run(sandbox, code, *options)) == given


@pytest.mark.parametrize("options", [["n"], ["--n"], ["--n", "ten"], ["--m=1"]])
def test_bad_options_are_refused(sandbox: Path, options: list[str]) -> None:
    code = "parameters(integer('n', minimum=0, maximum=9, default=1))"

    assert _run(sandbox, code, *options).returncode == 2


def test_lines_cannot_forge_other_lines(sandbox: Path) -> None:
    process = _run(sandbox, "say('a\\nb\\x1b[0m\\u2028c \\ud800')\nresult({'x': 'å'})")

    assert process.stdout == b'a b [0m c  \n{"x": "\\u00e5"}\n'


def test_failure_names_its_code(sandbox: Path) -> None:
    process = _run(sandbox, "fail('too-late', 'it is late')")

    assert process.returncode == 1
    assert process.stdout == b'Failed: it is late\n{"error": "too-late"}\n'


def test_programs_that_change_things_stay_in_the_sandbox(sandbox: Path) -> None:
    process = _run(sandbox, "run(['touch', '/proc/x'], changes=True)")

    assert _last_line(process) == {"error": "sandboxed"}

    program = sandbox / "usr/bin/touch"
    program.write_text("#!/bin/sh\nprintf 'touched %s' \"$1\"\nexit 3\n")
    program.chmod(0o755)
    code = (
        "f = run(['touch', 'x'], changes=True)\nresult({'s': f.status, 'o': f.output})"
    )
    assert _last_line(_run(sandbox, code)) == {"s": 3, "o": "touched x"}


def test_program_that_does_not_end_is_ended(sandbox: Path) -> None:
    process = _run(sandbox, "run(['sleep', '600'], timeout_seconds=0.2)")

    assert _last_line(process) == {"error": "program-timed-out"}


@pytest.mark.parametrize("content", ["#!/no/such/interpreter\n", "rubbish"])
def test_program_that_cannot_be_started(sandbox: Path, content: str) -> None:
    program = sandbox / "usr/bin/broken"
    program.write_text(content)
    program.chmod(0o755)

    assert _last_line(_run(sandbox, "run(['broken'])")) == {"error": "program-failed"}


def test_missing_program_is_named(sandbox: Path) -> None:
    process = _run(sandbox, "run(['no-such-program'])")

    assert _last_line(process) == {"error": "program-missing"}


def test_secrets_come_from_their_directory(sandbox: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    code = "result({'length': len(secret('password'))})"

    process = _run(sandbox, code, CREDENTIALS_DIRECTORY=str(tmp_path))

    assert _last_line(process) == {"length": 7}
    assert _last_line(_run(sandbox, code)) == {"error": "secret-missing"}


def test_facts_of_a_plain_sandbox_are_the_real_computers(sandbox: Path) -> None:
    code = "result({'root': str(root()), 'machine': str(machine())})"

    assert _last_line(_run(sandbox, code)) == {"root": str(sandbox), "machine": "/"}
    (sandbox / "proc").mkdir()
    assert _last_line(_run(sandbox, code)) == {
        "root": str(sandbox),
        "machine": str(sandbox),
    }


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (5 * 1024**4, "5.0 TiB"),
    ],
)
def test_sizes_for_people(sandbox: Path, size: int, text: str) -> None:
    process = _run(sandbox, f"say(size_text({size}))")

    assert process.stdout.decode() == f"{text}\n"


def test_scripts_start_where_the_environment_is_empty(sandbox: Path) -> None:
    assert "HOME" not in env_for(sandbox)
    assert os.environ.get("CITIZENPC_ROOT") is None
    assert _run(sandbox, "result({})").returncode == 0

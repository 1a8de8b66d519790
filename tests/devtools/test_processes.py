import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from devtools import children, processes
from devtools.servers import Servers

ADDRESSES = Servers("postgresql://app@h/d", "postgresql://owner@h/d", "redis://h")


def test_environment_keeps_its_keys_and_hides_them(tmp_path: Path) -> None:
    first = processes.environment(ADDRESSES, tmp_path, 8000)
    second = processes.environment(ADDRESSES, tmp_path, 8001)
    assert first["CITIZENPC_SECRET_KEY"] == second["CITIZENPC_SECRET_KEY"]
    assert len(first["CITIZENPC_SECRET_KEY"]) >= 64
    assert first["CITIZENPC_ORIGIN"] == "http://127.0.0.1:8000"
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_nothing_of_the_callers_own_portal_is_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITIZENPC_DEBUG", "1")
    monkeypatch.setenv("DATABASE_URL_FILE", "/elsewhere")
    environment = processes.environment(ADDRESSES, tmp_path, 8000)
    assert not {"CITIZENPC_DEBUG", "DATABASE_URL_FILE"} & environment.keys()


def test_taken_port_is_told_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(processes.PortTaken, match=f"Port {port}"):
            processes.check_port(port)
    processes.check_port(processes.free_port())


def wait_for_ready(child: children.Child) -> None:
    child.wait_until(lambda: child.log_tail() == "ready")


def test_all_are_stopped_last_first(tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.touch()
    code = (
        "import signal, sys, pathlib, time\n"
        "def end(*_):\n"
        f"    with open({str(order)!r}, 'a') as f: f.write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(99)\n"
    )
    with processes.Processes() as running:
        for name in "abc":
            command = [sys.executable, "-c", code, name]
            child = running.add(children.spawn(name, command, log=tmp_path / name))
            wait_for_ready(child)
        assert running.ended() == []
    assert order.read_text() == "cba"


def test_failing_command_shows_its_last_lines(tmp_path: Path) -> None:
    environment = processes.environment(ADDRESSES, tmp_path, 8000)
    with pytest.raises(processes.CommandFailed, match="Unknown command"):
        processes.manage(environment, "no_such_command")


def test_copies_of_the_template_are_migrated_and_apart(
    make_servers: Callable[[], Servers],
) -> None:
    insert = "INSERT INTO django_session VALUES ('key', 'data', now())"
    with make_servers() as first, make_servers() as second:
        with psycopg.connect(first.database_url) as app:
            app.execute(insert)
        with psycopg.connect(second.database_url) as app:
            count = app.execute("SELECT count(*) FROM django_session").fetchone()
            assert count == (0,)
            role = app.execute("SELECT current_user").fetchone()
            assert role == ("citizenpc_app",)


def test_web_process_answers(
    make_servers: Callable[[], Servers], tmp_path: Path
) -> None:
    port = processes.free_port()
    with make_servers() as servers:
        environment = processes.environment(servers, tmp_path, port)
        web = processes.start_web(environment, port, tmp_path / "log")
        with pytest.raises(processes.PortTaken):
            processes.start_web(environment, port, tmp_path / "log")
        assert processes.is_answering(port)
        web.stop()
        assert not processes.is_answering(port)

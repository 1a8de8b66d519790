"""Real browsers that see a sandbox's ``etc`` over the machine's own.

Each runs in a mount namespace of its own, in which ``/etc`` is the machine's with the
sandbox's laid over it, so nothing outside the sandbox is changed.
"""

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_OVERLAY = 'mount -t overlay overlay -o "lowerdir=$0/etc:/etc" /etc && exec "$@"'


class Pages:
    """A server on loopback that remembers which paths were asked for."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._changed = threading.Condition()
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<title>a page</title>")
                pages._note(self.path)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def were_opened(self, *paths: str, timeout: float = 60) -> bool:
        """Wait until all `paths` were asked for."""
        with self._changed:
            return self._changed.wait_for(lambda: self._asked >= {*paths}, timeout)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _note(self, path: str) -> None:
        with self._changed:
            self._asked.add(path)
            self._changed.notify_all()


def command(root: Path, program: list[str]) -> list[str]:
    """`program` in a namespace in which ``/etc`` is that of `root` and the machine."""
    (root / "etc").mkdir(exist_ok=True)
    namespace = "-m" if os.geteuid() == 0 else "-Urm"
    return ["unshare", namespace, "sh", "-c", _OVERLAY, str(root), *program]


def environment(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    return {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


def chromium_wrapper(root: Path, directory: Path) -> Path:
    """A program for Playwright that starts Chromium over `root`."""
    program = shutil.which("chromium") or "chromium"
    wrapper = directory / "chromium-over-sandbox"
    words = shlex.join(command(root, [program]))
    wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


@contextmanager
def running(root: Path, program: list[str], home: Path) -> Iterator[None]:
    """Run a browser over `root` for the time of the block."""
    process = subprocess.Popen(
        command(root, program),
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

"""A link as a child of the root half: for sandboxes, never on a computer."""

import asyncio
import contextlib
import logging
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from client_agent.backoff import Backoff
from client_agent.host.process import start_beside

log = logging.getLogger(__name__)

_STOP_SECONDS = 2.0
_LOOK_SECONDS = 0.5


class LinkChild:
    """A context in which a link runs; it also ends when we are killed."""

    def __init__(self, root: Path) -> None:
        self._argv = [
            sys.executable,
            "-m",
            "client_agent.link",
            "--until-stdin-closes",
            "--root",
            str(root),
        ]
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "LinkChild":
        self._popen = start_beside(self._argv)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._popen is None:
            return
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_STOP_SECONDS)
        self._popen.kill()
        self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    async def watch(self) -> None:
        """Start it again whenever it ends. Never returns."""
        backoff = Backoff()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._popen is not None and self._popen.poll() is None:
                continue
            log.warning("the link ended; it is started again")
            await asyncio.sleep(backoff.after_failure())
            if self._popen is not None and self._popen.stdin is not None:
                self._popen.stdin.close()
            self._popen = start_beside(self._argv)

"""A link as a child of the root half: for sandboxes, never on a computer."""

import asyncio
import logging
import sys
from pathlib import Path
from types import TracebackType

from client_agent.backoff import Backoff
from client_agent.host.process import ProgramBeside

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
        self._link: ProgramBeside | None = None

    def __enter__(self) -> "LinkChild":
        self._link = ProgramBeside(self._argv)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._link is not None:
            self._link.stop(grace_seconds=_STOP_SECONDS)

    async def watch(self) -> None:
        """Start it again whenever it ends. Never returns."""
        backoff = Backoff()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._link is not None and self._link.is_running():
                continue
            log.warning("the link ended; it is started again")
            await asyncio.sleep(backoff.after_failure())
            if self._link is not None:
                self._link.stop(grace_seconds=0)
            self._link = ProgramBeside(self._argv)

"""The web process: ``python -m admin_site.config.web -b 127.0.0.1 -p 8000``.

daphne, with its options, set up for thousands of sockets that say nothing (ADR 24).
"""

import sys
from typing import Any

from daphne.cli import CommandLineInterface
from daphne.server import Server
from twisted.internet import reactor as twisted_reactor

# The reactor itself; its annotation is that of an interface.
reactor: Any = twisted_reactor

PING_SECONDS = 240
"""In between, TCP's own keep-alive notices a broken way; the agent turns it on."""

HANDSHAKE_SECONDS = 20
"""How long a socket may wait for its turn when a whole fleet comes back."""

LOOK_SECONDS = 10
"""How often all connections are looked through for what has ended or timed out."""


class PatientServer(Server):
    """Looks through its connections less often than daphne: it costs more than pings.

    What is late for it is only cleaning up, and errors that Django has not caught.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._looks_skipped = {"application_checker": 0, "timeout_checker": 0}
        super().__init__(*args, **options)

    def application_checker(self) -> None:
        if self._is_due("application_checker", every_seconds=1):
            super().application_checker()

    def timeout_checker(self) -> None:
        if self._is_due("timeout_checker", every_seconds=2):
            super().timeout_checker()

    def _is_due(self, name: str, *, every_seconds: int) -> bool:
        """Whether it is time for daphne's own look; if not, come back later."""
        skipped = self._looks_skipped[name] + 1
        is_due = skipped * every_seconds >= LOOK_SECONDS
        self._looks_skipped[name] = 0 if is_due else skipped
        if not is_due:
            reactor.callLater(every_seconds, getattr(self, name))
        return is_due


class Web(CommandLineInterface):
    """daphne's command line with our server and without its access log."""

    server_class = PatientServer


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM. No access log: paths hold one-time secrets."""
    fixed = ["-v", "0", "--no-server-name", "--ping-interval", str(PING_SECONDS)]
    fixed += ["--websocket_connect_timeout", str(HANDSHAKE_SECONDS)]
    Web().run([*fixed, *arguments, "admin_site.config.asgi:application"])


if __name__ == "__main__":
    main(sys.argv[1:])

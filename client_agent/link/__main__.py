"""``citizenpc-link``: the process that talks to the portal."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from client_agent.errors import AgentError
from client_agent.key_files import signing_key
from client_agent.link.relay import Relay
from client_agent.paths import Paths
from client_agent.texts import _


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="citizenpc-link",
        description=_("Relay between the agent's root half and the portal."),
    )
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help=_("end with the process that started this one"),
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    _forget_proxies_of_environment()
    paths = Paths(options.root)
    try:
        relay = Relay(paths.socket, signing_key(paths.link_key))
    except (AgentError, OSError) as error:
        print(f"citizenpc-link: {error}", file=sys.stderr)
        return 1
    _stop_on_signals(relay)
    if options.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(relay,), daemon=True).start()
    relay.run()
    return 0


def _forget_proxies_of_environment() -> None:
    """Only root's configuration names a proxy."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


def _stop_on_signals(relay: Relay) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        relay.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _watch_stdin(relay: Relay) -> None:
    while os.read(0, 1024):
        pass
    relay.stop()


if __name__ == "__main__":
    sys.exit(main())

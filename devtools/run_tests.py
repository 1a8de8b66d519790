"""What `make test` and `make soak` run; arguments go to pytest."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
TEST_SECONDS = 25 * 60
SOAK_SECONDS = 80 * 60
ENDING_SECONDS = 60
EXIT_TOO_LONG = 124


def main(arguments: list[str]) -> int:
    """Run pytest with two workers; return its status, or 124 when it took too long."""
    limit = SOAK_SECONDS if "soak" in arguments else TEST_SECONDS
    command = [sys.executable, "-m", "pytest", "-n", str(WORKERS)]
    command += ["--durations", "15", "--durations-min", "1"]
    with subprocess.Popen([*command, *arguments], cwd=ROOT) as tests:
        try:
            return tests.wait(limit)
        except KeyboardInterrupt:
            # Ctrl-C reached pytest too, which is ending its servers.
            return tests.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            _end(tests)
            print(f"The tests took more than {limit // 60} minutes.", file=sys.stderr)
            return EXIT_TOO_LONG


def _end(tests: subprocess.Popen[bytes]) -> None:
    """Interrupt pytest, so that it ends its servers; kill it when it does not."""
    tests.send_signal(signal.SIGINT)
    try:
        tests.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        tests.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

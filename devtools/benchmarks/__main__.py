"""``make bench``: prints a table and writes ``build/bench.json``."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from devtools import seed, stack
from devtools.benchmarks import agent, portal
from devtools.benchmarks.measures import table
from devtools.children import ChildError
from devtools.errors import DevtoolsError

DIRECTORY = stack.ROOT / "build" / "bench"
RESULT = stack.ROOT / "build" / "bench.json"


def main() -> int:
    """Run all benchmarks; the exit status says whether every bound is kept."""
    try:
        with stack.running(DIRECTORY) as running:
            running.use_django()
            sample = seed.make_sample(running.origin)
            seed.wait_for_signing_key(sample.organisation_id)
            figures = agent.measure(running, sample)
            figures += asyncio.run(portal.measure(running, sample))
    except (DevtoolsError, ChildError) as error:
        print(f"The benchmarks cannot run: {error}", file=sys.stderr)
        return 1
    print(table(figures))
    RESULT.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
    return 0 if all(each.is_met for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

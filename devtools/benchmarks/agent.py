"""What a real agent costs on a computer."""

from __future__ import annotations

import time

from devtools import seed, smoke
from devtools.benchmarks.measures import Figure, cpu_seconds, pss_bytes
from devtools.stack import Stack
from devtools.staff import Staff, wait_for

IDLE_SECONDS = 60.0


def measure(portal: Stack, sample: seed.Sample) -> list[Figure]:
    """Memory and CPU of both halves, idle and connected."""
    staff = Staff(portal.origin, seed.ORGANISATION_SLUG, seed.SITES[0][0])
    staff.sign_in(sample.link_of("organisation_admin"))
    agent, root = smoke.enrol_agent(portal, staff, "bench")
    state = root / "var/lib/citizenpc/state.json"
    wait_for(state.exists, "the agent's first state")
    time.sleep(5)
    cpu = cpu_seconds([agent.pid])
    begin = time.monotonic()
    time.sleep(IDLE_SECONDS)
    used = cpu_seconds([agent.pid]) - cpu
    share = used / (time.monotonic() - begin) * 100
    memory = pss_bytes([agent.pid]) / 1024**2
    agent.stop()
    return [
        Figure("Agent memory (PSS), both halves, idle", memory, "MB", bound=70),
        Figure("Agent CPU, idle, of one core", share, "%", bound=0.2),
    ]

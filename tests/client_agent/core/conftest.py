"""A real agent, both halves as processes, and a portal that they talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.agent import AgentProcesses
from tests.fakes.portal import FakePortal


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    with FakePortal() as portal:
        yield portal


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcesses]:
    """Not started and not enrolled."""
    root = tmp_path / "root"
    root.mkdir()
    with AgentProcesses(root) as agent:
        yield agent


@pytest.fixture
def managed(portal: FakePortal, agent: AgentProcesses) -> AgentProcesses:
    """Enrolled, approved and connected, with a state without settings."""
    portal.approve()
    portal.want({})
    agent.enrol(portal)
    agent.start()
    agent.wait_for_status(
        lambda s: s.enrolment == "approved" and s.is_socket_up and s.revision
    )
    return agent

"""Desired states of a real agent: kept, refused, polled for."""

import json

import pytest

from client_agent.protocol import codec
from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint
from client_agent.protocol.state import DesiredState
from tests.fakes.agent import AgentProcesses, eventually
from tests.fakes.portal import FakePortal
from tests.fakes.portal_http import Answer


def test_a_nudge_brings_the_next_state(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    state = portal.want({})
    managed.wait_for_status(lambda s: s.revision == state.revision)


def test_unchanged_state_is_not_sent_again(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    before = portal.count("GET /state")
    etags = portal.wait_for(lambda: portal.state)
    portal.nudge(Hint.STATE)
    portal.wait_for(lambda: portal.count("GET /state") > before)
    assert portal.state is etags


def _payload_changed(signed: Signed) -> Signed:
    document = json.loads(signed.payload)
    document["revision"] += 100
    return Signed(
        signed.kind, json.dumps(document).encode(), signed.signature, signed.key
    )


def test_tampered_state_is_refused_and_told(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    before = managed.status()
    with portal.changed:
        assert portal.state is not None
        portal.state = _payload_changed(portal.state)
    portal.nudge(Hint.STATE)
    portal.wait_for(lambda: portal.events(ErrorCode.SIGNATURE_INVALID.value))
    after = managed.status()
    assert before is not None
    assert after is not None
    assert after.revision == before.revision


@pytest.mark.parametrize("change", ["older", "same revision"])
def test_older_state_is_refused_and_told(
    portal: FakePortal, managed: AgentProcesses, change: str
) -> None:
    newest = portal.want({}, poll_seconds=60)
    managed.wait_for_status(lambda s: s.revision == newest.revision)
    revision = newest.revision - (change == "older")
    portal.want({}, revision=revision, poll_seconds=61)
    portal.wait_for(lambda: portal.events(ErrorCode.STATE_REVISION_OLD.value))
    managed.kill_root_half()
    managed.start_root_half()
    status = managed.wait_for_status(lambda s: s.revision)
    assert status.revision == newest.revision
    kept = json.loads(managed.paths.accepted_state.read_bytes())
    signed = codec.convert(Signed, kept["signed"])
    assert codec.decode(DesiredState, signed.payload).poll_seconds == 60


def test_state_of_another_computer_is_refused(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    portal.want({}, computer=portal.organisation)
    portal.wait_for(lambda: portal.events(ErrorCode.AUDIENCE_WRONG.value))


def test_state_on_disk_holds_without_a_portal(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    status = managed.status()
    assert status is not None
    managed.kill_root_half()
    managed.kill_link()
    managed.start_root_half()
    again = managed.wait_for_status(lambda s: s.revision)
    assert again.revision == status.revision
    assert not again.is_link_connected


def test_without_a_socket_it_polls(portal: FakePortal, agent: AgentProcesses) -> None:
    portal.has_sockets = False
    portal.approve()
    portal.want({}, poll_seconds=1, idle_poll_seconds=3600)
    agent.enrol(portal)
    agent.start()
    status = agent.wait_for_status(lambda s: s.revision)
    job = portal.run(b"#!/bin/sh\necho polled\n")
    assert portal.result_of(job).exit_status == 0
    state = portal.want({}, poll_seconds=1)
    status = agent.wait_for_status(lambda s: s.revision == state.revision)
    assert not status.is_socket_up


def test_with_a_socket_it_hardly_polls(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    portal.want({}, poll_seconds=1, idle_poll_seconds=3600)
    before = portal.wait_for(lambda: portal.count("GET /state"))
    job = portal.run(b"#!/bin/sh\nsleep 3\n")
    portal.result_of(job)
    assert portal.count("GET /state") <= before + 2


def test_socket_comes_back_and_close_is_honoured(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    first = portal.sockets[0]
    portal.nudge(Hint.CLOSE)
    portal.wait_for(lambda: first not in portal.sockets)
    portal.wait_for(lambda: portal.sockets)
    managed.wait_for_status(lambda s: s.is_socket_up)


def test_facts_are_sent_once_and_repaired(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    eventually(managed.paths.facts.exists)
    sent = len(portal.facts_requests)
    with portal.changed:
        portal.facts["host"] = "something else"
    stored = json.loads(managed.paths.facts.read_bytes())
    stored["facts"]["gone"] = 1
    managed.kill_root_half()
    managed.paths.facts.write_text(json.dumps(stored))
    managed.start_root_half()
    portal.wait_for(lambda: len(portal.facts_requests) >= sent + 2)
    assert portal.facts_requests[-1].replaces
    assert "gone" not in portal.facts


def test_overloaded_portal_is_left_alone(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    busy = Answer(503, b"<html>busy</html>", {"Retry-After": "2"})
    fault = portal.replace("GET /state", busy)
    portal.nudge(Hint.STATE)
    assert fault.seen.wait(20)
    managed.wait_for_status(lambda s: s.error == "http-503")
    before = portal.count("GET /state")
    managed.wait_for_status(lambda s: not s.error)
    assert portal.count("GET /state") <= before + 2  # the nudge's and the poll's


def test_it_stops_in_time(portal: FakePortal, managed: AgentProcesses) -> None:
    job = portal.run(b"#!/bin/sh\ntrap '' TERM\necho on\nsleep 600 & wait\nsleep 600\n")
    portal.wait_for(lambda: job.output)
    assert managed.stop() < 5
    assert not managed.paths.status.exists()
    assert not managed.paths.socket.exists()


def test_second_root_half_is_refused(managed: AgentProcesses) -> None:
    done = managed.command("run")
    assert done.returncode == 1
    assert "agent-running" in done.stderr


def test_doctor_and_status_are_well(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    done = managed.command("doctor")
    assert done.returncode == 0, done.stdout
    status = managed.command("status", "--json")
    assert json.loads(status.stdout)["enrolment"] == "approved"
    assert managed.command("status").returncode == 0


def test_with_link_starts_and_ends_both(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    portal.approve()
    portal.want({})
    agent.enrol(portal)
    child = agent.start_command("run", "--with-link")
    try:
        agent.wait_for_status(lambda s: s.is_socket_up)
        child.kill()
        portal.wait_for(lambda: not portal.sockets)
    finally:
        child.kill()
        child.communicate()

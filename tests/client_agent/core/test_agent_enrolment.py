"""Enrolment of a real agent, interrupted and attacked."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.protocol import keys
from client_agent.protocol.enrolment import EnrolmentStatus
from client_agent.protocol.errors import ErrorCode
from tests.fakes.agent import AgentProcesses, eventually
from tests.fakes.portal import FakePortal


def test_people_compare_a_code_and_approve(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    agent.start()
    agent.wait_for_status(lambda s: s.is_link_connected)
    command = agent.start_command(
        "enrol", "--portal", portal.origin, "--token", portal.token
    )
    status = agent.wait_for_status(lambda s: s.pairing_code)
    assert portal.claim is not None
    expected = keys.pairing_code(portal.claim.device_key, portal.enrolment_id)
    assert status.pairing_code == expected
    portal.approve()
    said = command.communicate(timeout=30)[0]
    assert command.returncode == 0
    assert f"Pairing code: {expected}" in said
    assert "Approved" in said
    status = agent.wait_for_status(lambda s: s.is_socket_up)
    assert status.computer == str(portal.computer)
    assert status.pairing_code == ""
    private = agent.paths.enrolment.read_text()
    assert "aSecretOfStaff" not in private


def test_no_code_is_shown_before_the_portal_has_signed(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    portal.is_decision_ready = False
    agent.enrol(portal)
    agent.start()
    portal.wait_for(lambda: portal.count(r"POST /enrolments") >= 3)
    status = agent.wait_for_status(lambda s: s.checks >= 2)
    assert (status.enrolment, status.pairing_code) == ("wanted", "")
    with portal.changed:
        portal.is_decision_ready = True
    agent.wait_for_status(lambda s: s.pairing_code)


def test_wrong_fingerprint_is_refused(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    """Somebody in the middle answers with a key of their own."""
    other = Ed25519PrivateKey.generate()
    portal.decision_key = other
    portal.announced_key = keys.raw_public(other.public_key())
    portal.approve()
    agent.start()
    agent.wait_for_status(lambda s: s.is_link_connected)
    done = agent.command("enrol", "--portal", portal.origin, "--token", portal.token)
    assert done.returncode == 1
    assert "signing-key-unexpected" in done.stderr
    status = agent.status()
    assert status is not None
    assert (status.computer, status.pairing_code) == ("", "")


def test_tampered_decision_is_refused(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    portal.decision_key = Ed25519PrivateKey.generate()
    portal.approve()
    agent.enrol(portal)
    agent.start()
    status = agent.wait_for_status(lambda s: s.error == "signature-invalid")
    assert (status.enrolment, status.computer) == ("wanted", "")


@pytest.mark.parametrize("status", [EnrolmentStatus.REFUSED, EnrolmentStatus.EXPIRED])
def test_a_no_is_final(
    portal: FakePortal, agent: AgentProcesses, status: EnrolmentStatus
) -> None:
    portal.status = status
    agent.start()
    agent.wait_for_status(lambda s: s.is_link_connected)
    done = agent.command("enrol", "--portal", portal.origin, "--token", portal.token)
    assert done.returncode == 1
    agent.wait_for_status(lambda s: s.enrolment == status.value)


def test_unknown_token_is_told(portal: FakePortal, agent: AgentProcesses) -> None:
    agent.start()
    agent.wait_for_status(lambda s: s.is_link_connected)
    token = f"anotherSecret.{keys.fingerprint(portal.public_key)}"
    done = agent.command("enrol", "--portal", portal.origin, "--token", token)
    assert done.returncode == 1
    assert ErrorCode.ENROLMENT_TOKEN_UNKNOWN.value in done.stderr


def test_it_goes_on_after_a_kill_at_each_point(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    agent.enrol(portal)
    held = portal.hold("POST /enrolments")
    agent.start()
    assert held.seen.wait(20)
    agent.kill_root_half()  # it has asked and knows no answer
    portal.release(held)
    agent.start_root_half()
    agent.wait_for_status(lambda s: s.pairing_code)
    first_key = portal.claim.device_key if portal.claim else b""
    agent.kill_root_half()  # it is known and waits for people
    portal.approve()
    agent.start_root_half()
    agent.wait_for_status(lambda s: s.enrolment == "approved")
    assert portal.claim is not None
    assert portal.claim.device_key == first_key


def test_lost_answer_gives_the_same_enrolment(
    portal: FakePortal, agent: AgentProcesses
) -> None:
    lost = portal.lose("POST /enrolments")
    agent.enrol(portal)
    agent.start()
    assert lost.seen.wait(20)
    agent.wait_for_status(lambda s: s.pairing_code)
    assert portal.count("POST /enrolments") >= 2


def test_wrong_clock_is_learned(portal: FakePortal, agent: AgentProcesses) -> None:
    """The computer's clock is an hour behind the portal's."""
    portal.clock_offset = timedelta(hours=1)
    portal.approve()
    portal.want({})
    agent.enrol(portal)
    agent.start()
    status = agent.wait_for_status(lambda s: s.is_socket_up and s.revision)
    assert 3590 < status.clock_offset_seconds < 3610
    done = agent.command("doctor")
    assert done.returncode == 1
    assert "Clock: TROUBLE" in done.stdout


def test_enrolled_computer_is_not_enrolled_by_mistake(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    done = managed.command("enrol", "--portal", portal.origin, "--token", portal.token)
    assert done.returncode == 1
    assert "enrolled-already" in done.stderr


def test_keys_are_private(managed: AgentProcesses) -> None:
    paths = managed.paths
    for path in (paths.device_key, paths.seal_key, paths.link_key, paths.enrolment):
        assert path.stat().st_mode & 0o777 == 0o600
    for directory in (paths.state_dir, paths.link_dir):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_revoked_computer_stops_obeying_and_waits(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    portal.revoke()
    status = managed.wait_for_status(lambda s: s.enrolment == "revoked")
    asked = portal.count("")
    job = portal.run(b"#!/bin/sh\n")
    managed.kill_root_half()
    managed.start_root_half()
    status = managed.wait_for_status(lambda s: s.enrolment == "revoked" and s.checks)
    assert status.jobs == 0
    assert not status.is_socket_up
    assert job.lease_id is None
    assert portal.count("jobs/lease") == 0 or portal.count("") <= asked + 3


def test_revocation_that_nobody_signed_is_no_revocation(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    real, portal.signing_key = portal.signing_key, Ed25519PrivateKey.generate()
    portal.revoke()
    eventually(lambda: portal.count("GET /state") >= 2)
    managed.wait_for_status(lambda s: s.error == "computer-revoked")
    with portal.changed:
        portal.signing_key, portal.revocation = real, None
    managed.command("doctor")
    managed.wait_for_status(lambda s: s.enrolment == "approved" and not s.error)

"""A script runs on a computer once, whatever goes wrong; real agent, real portal."""

import json
from uuid import UUID

import pytest

from client_agent.protocol import limits
from devtools.staff import wait_for
from tests.contract.conftest import Agent, Lab, enrolled_agent
from tests.fakes.faulty_proxy import Returning

ENDED = {"succeeded", "failed", "timed_out", "cancelled", "expired", "lost"}


@pytest.fixture
def agent(lab: Lab) -> Agent:
    return enrolled_agent(lab)


def _run(lab: Lab, slug: str, agent: Agent) -> tuple[str, str]:
    """Run on that one computer; the ids of run and job."""
    run = lab.staff.run(slug, {}, computer=agent.status()["computer"])
    return run, wait_for(lambda: next(iter(lab.staff.jobs_of(run)), None), "the job")


def _ended(lab: Lab, run: str, job: str) -> str:
    def state() -> str | None:
        status = lab.staff.job_states(run)[job]
        return status if status in ENDED else None

    return wait_for(state, f"the end of job {job}", seconds=90)


def _begun(lab: Lab, run: str, job: str) -> None:
    wait_for(lambda: "begin" in lab.staff.output_of(run, job), "the first line")


def _effects(agent: Agent) -> int:
    effects = agent.root / "effects"
    return effects.read_text().count("once") if effects.exists() else 0


def test_a_script_runs_and_its_output_is_there(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "say-hello", agent)
    assert _ended(lab, run, job) == "succeeded"
    assert lab.staff.output_of(run, job) == "begin\nhello\n"


def test_a_running_job_is_cancelled(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "wait-for-file", agent)
    _begun(lab, run, job)
    lab.staff.press(f"runs/{run}/cancel/", {})
    assert _ended(lab, run, job) == "cancelled"
    assert "end" not in lab.staff.output_of(run, job)


def test_a_lost_answer_after_a_lease_runs_the_job_once(lab: Lab, agent: Agent) -> None:
    def lose_jobs(returning: Returning) -> Returning | None:
        return None if json.loads(returning.body)["leases"] else returning

    (agent.root / "go-on").touch()
    with lab.proxy.rule("POST .*/jobs/lease", answer=lose_jobs, remaining=None) as rule:
        run, job = _run(lab, "wait-for-file", agent)
        wait_for(lambda: lab.staff.job_states(run)[job] == "leased", "the lease")
        wait_for(rule.applied.is_set, "the lost answer")
    assert _ended(lab, run, job) == "succeeded"
    assert _effects(agent) == 1


def test_a_result_that_arrives_twice_is_one_result(lab: Lab, agent: Agent) -> None:
    with lab.proxy.rule("POST .*/result", is_doubled=True) as rule:
        run, job = _run(lab, "say-hello", agent)
        assert _ended(lab, run, job) == "succeeded"
        wait_for(rule.applied.is_set, "the doubled result")
    assert lab.staff.output_of(run, job) == "begin\nhello\n"


def test_output_that_arrives_twice_is_there_once(lab: Lab, agent: Agent) -> None:
    with lab.proxy.rule("POST .*/output", is_doubled=True, remaining=None):
        run, job = _run(lab, "say-hello", agent)
        assert _ended(lab, run, job) == "succeeded"
    assert lab.staff.output_of(run, job) == "begin\nhello\n"


def test_output_whose_answers_are_lost_is_there_once(lab: Lab, agent: Agent) -> None:
    with lab.proxy.rule("POST .*/output", answer=lambda _answer: None, remaining=2):
        run, job = _run(lab, "say-hello", agent)
        assert _ended(lab, run, job) == "succeeded"
    assert lab.staff.output_of(run, job) == "begin\nhello\n"


def test_a_job_that_somebody_altered_does_not_run(lab: Lab, agent: Agent) -> None:
    def alter(returning: Returning) -> Returning:
        body = json.loads(returning.body)
        for lease in body["leases"]:
            signature = lease["job"]["signature"]
            lease["job"]["signature"] = "AAAA" + signature[4:]
        return Returning(returning.status, returning.headers, json.dumps(body).encode())

    (agent.root / "go-on").touch()
    with lab.proxy.rule("POST .*/jobs/lease", answer=alter, remaining=None):
        run, job = _run(lab, "wait-for-file", agent)
        assert _ended(lab, run, job) == "failed"
    assert _effects(agent) == 0


def test_a_script_that_is_not_the_signed_one_does_not_run(
    lab: Lab, agent: Agent
) -> None:
    def other_script(returning: Returning) -> Returning:
        body = b'#!/bin/sh\necho once >> "$CITIZENPC_ROOT/effects"\n'
        padded = body.ljust(len(returning.body), b"#")[: len(returning.body)]
        return Returning(returning.status, returning.headers, padded)

    with lab.proxy.rule("GET .*/blobs/", answer=other_script, remaining=None):
        run, job = _run(lab, "say-hello", agent)
        assert _ended(lab, run, job) == "failed"
    assert _effects(agent) == 0


def test_without_a_socket_it_only_takes_longer(lab: Lab) -> None:
    lab.proxy.blocks_sockets = True
    agent = enrolled_agent(lab)
    run, job = _run(lab, "say-hello", agent)
    assert _ended(lab, run, job) == "succeeded"
    assert not agent.status()["is_socket_up"]


def test_the_portal_restarts_in_the_middle_of_a_job(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "wait-for-file", agent)
    _begun(lab, run, job)
    lab.stack.web[0].stop()
    (agent.root / "go-on").touch()
    lab.stack.start_web(0)
    assert _ended(lab, run, job) == "succeeded"
    assert lab.staff.output_of(run, job) == "begin\nend\n"
    assert _effects(agent) == 1


@pytest.mark.parametrize("half", ["root", "link"])
def test_a_half_that_is_killed_in_the_middle_of_a_job(
    lab: Lab, agent: Agent, half: str
) -> None:
    """Its effect happens once or the job is reported lost, never twice."""
    run, job = _run(lab, "wait-for-file", agent)
    _begun(lab, run, job)
    root, link = agent.halves()
    agent.kill(root if half == "root" else link)
    if half == "root":
        agent.start()
    (agent.root / "go-on").touch()
    assert _ended(lab, run, job) == ("lost" if half == "root" else "succeeded")
    assert _effects(agent) == 1


def test_fifty_megabytes_are_cut_in_the_middle(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "fifty-megabytes", agent)
    assert _ended(lab, run, job) == "succeeded"
    text = lab.staff.whole_output_of(run, job)
    assert text.startswith("begin\n")
    assert text.endswith("end\n")
    kept = limits.OUTPUT_HEAD_BYTES + limits.OUTPUT_TAIL_BYTES
    assert kept <= len(text.encode()) <= limits.OUTPUT_STORED_BYTES


def test_binary_rubbish_is_shown_as_text(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "binary-rubbish", agent)
    assert _ended(lab, run, job) == "succeeded"
    text = lab.staff.output_of(run, job)
    assert "\\x00" in text
    assert "\\xff" in text
    assert "\0" not in text


def test_an_empty_script_is_refused_with_a_reason(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "empty", agent)
    assert _ended(lab, run, job) == "failed"
    assert _effects(agent) == 0


def test_a_script_of_ten_megabytes_runs(lab: Lab, agent: Agent) -> None:
    run, job = _run(lab, "ten-megabytes", agent)
    assert _ended(lab, run, job) == "succeeded"
    assert lab.staff.output_of(run, job) == "begin\n"


def test_a_second_click_orders_nothing(lab: Lab, agent: Agent) -> None:
    computer = agent.status()["computer"]
    request = str(UUID(int=int(UUID(computer)) ^ 1))
    first = lab.staff.run("say-hello", {}, computer=computer, request_id=request)
    second = lab.staff.run("say-hello", {}, computer=computer, request_id=request)
    assert first == second
    assert len(lab.staff.jobs_of(first)) == 1

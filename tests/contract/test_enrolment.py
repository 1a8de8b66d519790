"""A computer is let in, turned away, thrown out; real agent, real portal."""

import json
from collections.abc import Callable

import pytest

from devtools.staff import wait_for
from tests.contract.conftest import (
    Agent,
    Lab,
    enrolled_agent,
    make_agent,
)
from tests.fakes.faulty_proxy import Passing, Returning


def _stage(agent: Agent) -> str:
    return str(agent.status().get("enrolment", ""))


def test_staff_and_computer_show_the_same_code_and_the_computer_becomes_managed(
    lab: Lab,
) -> None:
    agent = enrolled_agent(lab)
    wait_for(lambda: agent.status().get("revision"), "a revision")
    assert _stage(agent) == "approved"
    # Its keys never leave it readable for others.
    for name in ("device.key", "seal.key"):
        key = agent.root / "var/lib/citizenpc" / name
        assert key.stat().st_mode & 0o777 == 0o600
    secret = lab.token.partition(".")[0]
    assert secret not in (agent.root / "log").read_text()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "x" * 24 + token[24:],
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "4"),
    ],
    ids=["unknown secret", "another portal's key"],
)
def test_a_wrong_token_lets_nobody_in(lab: Lab, spoil: Callable[[str], str]) -> None:
    agent = make_agent(lab)
    agent.enrol(spoil(lab.token))
    wait_for(
        lambda: _stage(agent) == "failed" or agent.status().get("error"),
        "the refusal",
    )
    assert not (agent.root / "var/lib/citizenpc/state.json").exists()


def test_a_token_for_one_computer_lets_one_in(lab: Lab) -> None:
    token = lab.staff.make_token(uses=1)
    first, second = make_agent(lab), make_agent(lab)
    first.enrol(token)
    wait_for(lambda: first.status().get("pairing_code"), "the first code")
    second.enrol(token)
    wait_for(lambda: _stage(second) == "failed", "the refusal of the second")
    assert "token" in json.dumps(second.status())


def test_an_enrolment_whose_answer_is_lost_is_the_same_when_asked_again(
    lab: Lab,
) -> None:
    agent = make_agent(lab)
    with lab.proxy.rule("POST /agent/v1/enrolments", answer=lambda _answer: None):
        agent.enrol(lab.staff.make_token(uses=1))
        code = wait_for(lambda: agent.status().get("pairing_code"), "its code")
    lab.staff.approve(code, agent.name)
    wait_for(lambda: _stage(agent) == "approved", "approval")


def test_a_decision_that_somebody_altered_is_not_believed(lab: Lab) -> None:
    def alter(returning: Returning) -> Returning:
        body = json.loads(returning.body)
        if body.get("decision"):
            payload = body["decision"]["payload"]
            body["decision"]["payload"] = payload[:-8] + "AAAA" + payload[-4:]
        return Returning(returning.status, returning.headers, json.dumps(body).encode())

    agent = make_agent(lab)
    with lab.proxy.rule("POST /agent/v1/enrolments", answer=alter, remaining=None):
        agent.enrol(lab.token)
        wait_for(lambda: agent.status().get("error"), "the complaint")
        assert not agent.status().get("pairing_code")


def test_a_revoked_computer_is_refused_and_knows_it(lab: Lab) -> None:
    agent = enrolled_agent(lab)
    uid = agent.status()["computer"]
    lab.staff.press(f"computers/{uid}/revoke/", {})
    wait_for(lambda: _stage(agent) == "revoked", "word of the revocation")


def test_a_revocation_that_is_not_signed_is_not_believed(lab: Lab) -> None:
    agent = enrolled_agent(lab)

    def forge(returning: Returning) -> Returning:
        problem = {"code": "computer-revoked", "status": 403}
        headers = {"Content-Type": "application/problem+json"}
        return Returning(403, headers, json.dumps(problem).encode())

    with lab.proxy.rule("GET /agent/v1/state", answer=forge, remaining=None) as rule:
        agent.start_again()
        wait_for(rule.applied.is_set, "the forged answer")
    assert _stage(agent) == "approved"


def test_a_request_of_somebody_else_is_not_enrolled(lab: Lab) -> None:
    """What was signed for one request opens no other one."""
    agent = enrolled_agent(lab)
    wait_for(
        lambda: [each for each in lab.proxy.seen if "/state" in each.path],
        "a request of the agent",
    )
    taken = next(each for each in lab.proxy.seen if "/state" in each.path)
    for method, path, body in (
        ("GET", "/agent/v1/orders?after=0", b""),
        ("GET", "/agent/v1/state?x=1", b""),
        ("POST", "/agent/v1/jobs/lease", b"{}"),
    ):
        answer = lab.proxy.forward(Passing(method, path, taken.headers, body))
        assert answer.status == 401, path
        assert json.loads(answer.body)["code"] == "token-invalid"
    assert agent.process is not None


def test_an_identical_request_gets_an_identical_answer(lab: Lab) -> None:
    enrolled_agent(lab)
    taken = wait_for(
        lambda: next((e for e in lab.proxy.seen if e.path.endswith("/state")), None),
        "a request of the agent",
    )
    taken.headers.pop("If-None-Match", None)
    first, second = lab.proxy.forward(taken), lab.proxy.forward(taken)
    assert (first.status, first.body) == (second.status, second.body)


def test_a_clock_that_is_a_year_wrong_still_enrols(lab: Lab) -> None:
    lab.agents += 1
    agent = Agent(lab, f"pc-{lab.agents}", lab.directory / "late", lab.proxy.origin)
    agent.root.mkdir(exist_ok=True)
    agent.start(clock_offset_seconds=-366 * 24 * 3600)
    agent.enrol(lab.token)
    code = wait_for(lambda: agent.status().get("pairing_code"), "its code")
    lab.staff.approve(code, agent.name)
    wait_for(lambda: _stage(agent) == "approved", "approval")
    state = agent.root / "var/lib/citizenpc/state.json"
    wait_for(state.exists, "a state, in spite of the clock")
    assert abs(agent.status()["clock_offset_seconds"]) > 300 * 24 * 3600

import pytest

from tests.scripts.fake_computer import FakeComputer

SCRIPT = "power/restart"

PERSON = {
    "Active": "yes",
    "Class": "user",
    "Remote": "no",
    "Seat": "seat0",
    "State": "active",
    "Type": "x11",
    "User": "1000",
}


@pytest.fixture
def idle(computer: FakeComputer) -> FakeComputer:
    """A computer that shows the login screen."""
    computer.booted_by_systemd({"c1": {**PERSON, "Class": "greeter"}})
    computer.program("systemctl")
    return computer


@pytest.fixture
def occupied(computer: FakeComputer) -> FakeComputer:
    computer.booted_by_systemd({"c1": PERSON})
    computer.program("systemctl")
    return computer


def test_restarts_and_says_so_before_it_ends(idle: FakeComputer) -> None:
    outcome = idle.run(SCRIPT, {"reason": "New kernel"})

    assert outcome.status == 0
    assert outcome.lines == ["Preparing to restart", "The computer restarts now"]
    assert outcome.fields == {"restarting": True}
    assert idle.calls("systemctl") == [["--message=New kernel", "reboot"]]


def test_twice_asks_twice_for_the_same(idle: FakeComputer) -> None:
    assert idle.run(SCRIPT) == idle.run(SCRIPT)
    assert idle.calls("systemctl") == [["reboot"], ["reboot"]]


def test_waits_before_it_restarts(idle: FakeComputer) -> None:
    outcome = idle.run(SCRIPT, {"delay-seconds": 1})

    assert "Waiting 1 seconds" in outcome.lines
    assert idle.calls("systemctl") == [["reboot"]]
    asked = [words for words in idle.calls("loginctl") if words[0] == "list-sessions"]
    assert len(asked) == 2, "who is there is asked again after the wait"


def test_refuses_while_somebody_is_logged_in(occupied: FakeComputer) -> None:
    outcome = occupied.run(SCRIPT)

    assert (outcome.status, outcome.fields) == (1, {"error": "somebody-logged-in"})
    assert outcome.lines[-1] == "Failed: Somebody is logged in; nothing was done"
    assert occupied.calls("systemctl") == []


def test_restarts_all_the_same_when_told_to(occupied: FakeComputer) -> None:
    outcome = occupied.run(SCRIPT, options=["--force", "true"])

    assert outcome.status == 0
    assert occupied.calls("systemctl") == [["--ignore-inhibitors", "reboot"]]


def test_refuses_when_it_cannot_tell_who_is_there(occupied: FakeComputer) -> None:
    occupied.program("loginctl", status=1)

    outcome = occupied.run(SCRIPT)

    assert (outcome.status, outcome.fields) == (1, {"error": "sessions-unknown"})
    assert occupied.calls("systemctl") == []


def test_fails_when_systemd_refuses(idle: FakeComputer) -> None:
    idle.program("systemctl", status=1)

    outcome = idle.run(SCRIPT)

    assert (outcome.status, outcome.fields) == (1, {"error": "restart-refused"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"delay-seconds": -1},
        {"delay-seconds": 3601},
        {"delay-seconds": "60"},
        {"force": "yes"},
        {"force": 1},
        {"reason": "x" * 201},
        {"reason": "a\nb"},
        {"now": True},
        [],
    ],
)
def test_refuses_bad_arguments(idle: FakeComputer, arguments: object) -> None:
    outcome = idle.run(SCRIPT, arguments)

    assert outcome.status == 2
    assert idle.calls("systemctl") == []


@pytest.mark.parametrize("stdin", [b"{", b"\xff\xfe", b"[" * 100_000, b"x" * 2_000_000])
def test_refuses_input_that_is_not_json(idle: FakeComputer, stdin: bytes) -> None:
    outcome = idle.run(SCRIPT, stdin=stdin)

    assert (outcome.status, outcome.fields) == (2, {"error": "input-invalid"})
    assert idle.calls("systemctl") == []

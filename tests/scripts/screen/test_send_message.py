from pathlib import Path

import pytest

from tests.scripts.fake_computer import FakeComputer

SCRIPT = "screen/send-message"

CITIZEN = {
    "Active": "yes",
    "Class": "user",
    "Remote": "no",
    "Seat": "seat0",
    "State": "active",
    "Type": "wayland",
    "User": "70001",
}

TEXTS = {"en": "We close at six.", "da": "Vi lukker klokken seks."}


@pytest.fixture
def desktop(computer: FakeComputer) -> FakeComputer:
    """A computer at which one citizen sits."""
    computer.booted_by_systemd({"c2": CITIZEN})
    computer.program_passing_on("setpriv")
    computer.program("notify-send")
    (computer.programs / "env").symlink_to(Path("/usr/bin/env"))
    return computer


def test_shows_the_message_as_the_user_of_the_session(desktop: FakeComputer) -> None:
    outcome = desktop.run(SCRIPT, {"text": TEXTS, "show-seconds": 60})

    assert outcome.status == 0
    assert outcome.lines == ["Looking for somebody at the screen", "Shown on seat0"]
    assert outcome.fields == {"shown": True, "screens": 1}
    (as_user,) = desktop.calls("setpriv")
    assert as_user[:4] == [
        "--reuid=70001",
        "--regid=100",
        "--clear-groups",
        "--reset-env",
    ]
    assert "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/70001/bus" in as_user
    assert desktop.calls("notify-send") == [
        [
            "--app-name=CitizenPC",
            "--urgency=critical",
            "--expire-time=60000",
            "--",
            "Message from the staff",
            "We close at six.",
        ]
    ]


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("LANG=da_DK.UTF-8\n", ["Besked fra personalet", "Vi lukker klokken seks."]),
        ('LANG="sv_SE.UTF-8"', ["Meddelande från personalen", "We close at six."]),
        ("LANG=C.UTF-8", ["Message from the staff", "We close at six."]),
    ],
)
def test_speaks_the_language_of_the_computer(
    desktop: FakeComputer, locale: str, shown: list[str]
) -> None:
    desktop.write("etc/default/locale", locale)

    desktop.run(SCRIPT, {"text": TEXTS})

    assert desktop.calls("notify-send")[0][-2:] == shown


def test_a_plain_text_counts_for_every_language(desktop: FakeComputer) -> None:
    desktop.write("etc/locale.conf", "LANG=sv_SE.UTF-8\n")

    desktop.run(SCRIPT, options=["--text", "Hej!", "--title=-v"])

    assert desktop.calls("notify-send")[0][-3:] == ["--", "-v", "Hej!"]


def test_signs_of_markup_are_shown_as_they_are(desktop: FakeComputer) -> None:
    desktop.run(SCRIPT, {"text": 'a < b & \\n "c"\nsecond line'})

    assert desktop.calls("notify-send")[0][-1] == (
        'a &lt; b &amp; \\\\n "c"\nsecond line'
    )


def test_twice_shows_it_twice(desktop: FakeComputer) -> None:
    assert desktop.run(SCRIPT, {"text": "x"}) == desktop.run(SCRIPT, {"text": "x"})
    assert len(desktop.calls("notify-send")) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"Class": "greeter"},
        {"Active": "no"},
        {"Type": "tty"},
        {"Remote": "yes"},
        {"State": "closing"},
    ],
)
def test_says_clearly_that_nobody_is_there(
    desktop: FakeComputer, changed: dict[str, str]
) -> None:
    desktop.booted_by_systemd({"c2": {**CITIZEN, **changed}})

    outcome = desktop.run(SCRIPT, {"text": "x"})

    assert outcome.status == 0
    assert outcome.lines[-1] == (
        "Nobody is using the computer, so the message was not shown"
    )
    assert outcome.fields == {"shown": False, "screens": 0}
    assert desktop.calls("notify-send") == []


def test_nobody_is_there_without_a_session_service(computer: FakeComputer) -> None:
    assert computer.run(SCRIPT, {"text": "x"}).fields == {"shown": False, "screens": 0}


def test_fails_when_the_desktop_refuses(desktop: FakeComputer) -> None:
    desktop.program("notify-send", status=1)

    outcome = desktop.run(SCRIPT, {"text": "x"})

    assert (outcome.status, outcome.fields) == (1, {"error": "message-not-shown"})


def test_fails_when_the_session_service_does_not_answer(desktop: FakeComputer) -> None:
    desktop.program("loginctl", status=1)

    outcome = desktop.run(SCRIPT, {"text": "x"})

    assert (outcome.status, outcome.fields) == (1, {"error": "sessions-unknown"})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": ""},
        {"text": {"en": " "}},
        {"text": {"de": "Hallo"}},
        {"text": "x" * 501},
        {"text": "bell \u0007"},
        {"text": ["x"]},
        {"text": "x", "title": "two\nlines" * 20},
        {"text": "x", "show-seconds": 0},
        {"text": "x", "to": "somebody"},
    ],
)
def test_refuses_bad_arguments(desktop: FakeComputer, arguments: object) -> None:
    outcome = desktop.run(SCRIPT, arguments)

    assert (outcome.status, outcome.fields) == (2, {"error": "arguments-invalid"})
    assert desktop.calls("notify-send") == []

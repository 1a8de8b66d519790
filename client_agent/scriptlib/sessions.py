"""Who is logged in, as systemd-logind tells.

Source: loginctl(1), org.freedesktop.login1(5).
"""

from dataclasses import dataclass

from client_agent.scriptlib.output import fail
from client_agent.scriptlib.paths import machine
from client_agent.scriptlib.process import run

_PROPERTIES = ("Active", "Class", "Remote", "Seat", "State", "Type", "User")
_GRAPHICAL = ("wayland", "x11")


@dataclass(frozen=True)
class LoginSession:
    """A session of a person; login screens and background services are none.

    `is_active` is that the seat shows it now.
    """

    id: str
    uid: int
    seat: str
    is_graphical: bool
    is_active: bool
    is_remote: bool


def login_sessions() -> list[LoginSession]:
    """Sessions of people, sorted by id.

    A computer that was not started by systemd has none. Ends the script with
    ``sessions-unknown`` when logind does not answer.
    """
    if not (machine() / "run/systemd/system").is_dir():
        return []
    listed = run(["loginctl", "list-sessions", "--no-legend"], timeout_seconds=20)
    if listed.status != 0:
        fail("sessions-unknown", f"logind does not answer: {listed.errors.strip()}")
    ids = sorted({line.split()[0] for line in listed.output.splitlines() if line})
    return [session for id_ in ids for session in _session(id_)]


def _session(id_: str) -> list[LoginSession]:
    options = [f"--property={name}" for name in _PROPERTIES]
    shown = run(["loginctl", "show-session", id_, *options], timeout_seconds=20)
    if shown.status != 0:
        return []  # it has ended since it was listed
    facts = dict(line.partition("=")[::2] for line in shown.output.splitlines())
    is_person = facts.get("Class", "").startswith("user")
    if not is_person or facts.get("State") == "closing":
        return []
    uid = facts.get("User", "")
    if not uid.isascii() or not uid.isdigit():
        fail("sessions-unknown", f"logind names no user for session {id_}")
    return [
        LoginSession(
            id=id_,
            uid=int(uid),
            seat=facts.get("Seat", ""),
            is_graphical=facts.get("Type") in _GRAPHICAL,
            is_active=facts.get("Active") == "yes",
            is_remote=facts.get("Remote") == "yes",
        )
    ]

"""Finding out why a computer does not work with its portal."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from client_agent.config import ConfigError, load_config
from client_agent.enrol import Enrolment, Stage, load_enrolment
from client_agent.errors import AgentError
from client_agent.paths import Paths
from client_agent.status import Status, read_status, running_pid
from client_agent.texts import _

_CHECK_SECONDS = 45.0
_LOOK_SECONDS = 0.2
_CLOCK_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what to do if it is not well."""

    title: str
    is_well: bool
    detail: str = ""
    advice: str = ""


def examine(paths: Paths) -> Iterator[Finding]:
    """The checks in order; those after one that failed may fail because of it."""
    yield _configuration(paths)
    yield _keys(paths)
    pid = running_pid(paths.lock)
    status = ask_for_check(paths, pid) if pid is not None else None
    yield _link(status)
    yield _portal(status)
    yield _clock(status)
    yield _enrolment(paths)


def ask_for_check(
    paths: Paths,
    pid: int,
    *,
    is_done: Callable[[Status], bool] = lambda status: True,
    seconds: float = _CHECK_SECONDS,
) -> Status | None:
    """Have the running agent ask its portal; its status once that is over.

    Waits at most `seconds` until it is over and `is_done`; the last status then.
    """
    before = read_status(paths.status)
    os.kill(pid, signal.SIGHUP)
    ends_at = time.monotonic() + seconds
    while True:
        status = read_status(paths.status)
        is_over = status is not None and (
            before is None
            or status.checks > before.checks
            or not status.is_link_connected
        )
        if is_over and status is not None and is_done(status):
            return status
        if time.monotonic() > ends_at:
            return status
        time.sleep(_LOOK_SECONDS)


def _configuration(paths: Paths) -> Finding:
    title = _("Configuration")
    try:
        config = load_config(paths.config)
    except ConfigError as error:
        return Finding(title, False, str(error), error.hint)
    return Finding(title, True, config.portal)


def _keys(paths: Paths) -> Finding:
    title = _("Keys")
    keys = [paths.device_key, paths.seal_key, paths.link_key]
    missing = [str(path) for path in keys if not _is_file(path)]
    if missing:
        advice = _("Start the services citizenpc-agent and citizenpc-link once.")
        return Finding(title, False, ", ".join(missing), advice)
    return Finding(title, True)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # not ours to look at
        return False


def _link(status: Status | None) -> Finding:
    title = _("Agent and link")
    if status is None:
        advice = _("Start the service: systemctl start citizenpc-agent.")
        return Finding(title, False, _("the agent does not run"), advice)
    if not status.is_link_connected:
        advice = _("Start the service: systemctl start citizenpc-link.")
        return Finding(title, False, _("the link does not run"), advice)
    return Finding(title, True)


def _portal(status: Status | None) -> Finding:
    title = _("Portal")
    if status is None or not status.is_link_connected:
        return Finding(title, False, _("not tried without a link"))
    if status.error:
        return Finding(title, False, status.error, advice_for(status.error))
    if status.last_answer_at is None:
        return Finding(title, False, _("it has not answered yet"))
    socket = _("hints arrive at once") if status.is_socket_up else _("without hints")
    return Finding(title, True, socket)


def _clock(status: Status | None) -> Finding:
    title = _("Clock")
    if status is None or status.last_answer_at is None:
        return Finding(title, False, _("not compared without an answer"))
    seconds = status.clock_offset_seconds
    detail = _("{seconds} s behind the portal").format(seconds=seconds)
    if abs(seconds) > _CLOCK_SECONDS:
        advice = _("Set the clock, or have it set over the network (NTP).")
        return Finding(title, False, detail, advice)
    return Finding(title, True)


def _enrolment(paths: Paths) -> Finding:
    title = _("Enrolment")
    try:
        enrolment = load_enrolment(paths.enrolment)
    except AgentError as error:
        return Finding(title, False, str(error), error.hint)
    except OSError as error:
        advice = _("Run the command as the user that the agent runs as (root).")
        return Finding(title, False, str(error), advice)
    if enrolment is None:
        advice = _("Enrol this computer: citizenpc-agent enrol --portal ... .")
        return Finding(title, False, _("never begun"), advice)
    is_approved = enrolment.stage is Stage.APPROVED
    return Finding(title, is_approved, _outcome(enrolment), _next_step(enrolment))


def _outcome(enrolment: Enrolment) -> str:
    return f"{enrolment.stage.value} {enrolment.code}".strip()


def _next_step(enrolment: Enrolment) -> str:
    return {
        Stage.WANTED: _("The portal has not been reached yet; see above."),
        Stage.PENDING: _("Compare the pairing code and approve in the portal."),
        Stage.APPROVED: "",
    }.get(enrolment.stage, _("Enrol this computer again with a new token."))


def advice_for(code: str) -> str:
    """What to do about an error's code."""
    return {
        "portal-unreachable": _(
            "Check the cable and that outgoing HTTPS to the portal is allowed."
        ),
        "portal-timeout": _("The network or the portal is slow; try again later."),
        "proxy-unreachable": _("Check the proxy's address in the configuration."),
        "tls-untrusted": _(
            "The certificate is not trusted: give the site's CA file, or check the "
            "clock."
        ),
        "not-enrolled": _("Enrol this computer: citizenpc-agent enrol --portal ... ."),
        "computer-revoked": _("Staff revoked this computer; enrol it again."),
        "signing-key-unexpected": _(
            "This is not the portal that the token is for; check its address."
        ),
    }.get(code, _("If it lasts, show this line to whoever runs the portal."))

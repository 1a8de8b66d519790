"""Finding out why a computer does not work with its portal."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from client_agent.clock import build_time
from client_agent.config import Config, ConfigError, load_config
from client_agent.doctor_network import clock_finding, findings_of, look, not_tried
from client_agent.enrol import Enrolment, Stage, load_enrolment
from client_agent.errors import AgentError
from client_agent.finding import Finding
from client_agent.network_layers import Layer
from client_agent.paths import Paths
from client_agent.protocol.errors import ErrorCode
from client_agent.status import Status, read_status, running_pid
from client_agent.texts import _

_CHECK_SECONDS = 45.0
_LOOK_SECONDS = 0.2
_OF_THE_KEY = (
    ErrorCode.NOT_ENROLLED.value,
    ErrorCode.COMPUTER_REVOKED.value,
    ErrorCode.TOKEN_INVALID.value,
)


def examine(paths: Paths) -> Iterator[Finding]:
    """The checks in order; what stands on one that failed is not tried."""
    config, finding = _configuration(paths)
    yield finding
    yield _keys(paths)
    seen = look(paths, config) if config is not None else {}
    below, above = _split(findings_of(config, seen))
    yield from below
    pid = running_pid(paths.lock)
    status = ask_for_check(paths, pid) if pid is not None else None
    has_answer = status is not None and status.last_answer_at is not None
    yield clock_finding(
        seen,
        learned=status.clock_offset_seconds if status and has_answer else None,
        now=datetime.now(timezone.utc),
        built_at=build_time(),
    )
    yield from above
    yield _link(status)
    yield _key_at_portal(status)
    yield _enrolment(paths)


def _split(findings: Sequence[Finding]) -> tuple[Sequence[Finding], Sequence[Finding]]:
    """What needs no clock, and encryption with all above it, which does."""
    at = next(i for i, each in enumerate(findings) if each.check == Layer.TLS.value)
    return findings[:at], findings[at:]


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


def _configuration(paths: Paths) -> tuple[Config | None, Finding]:
    title = _("Configuration")
    try:
        config = load_config(paths.config)
    except ConfigError as error:
        finding = Finding("configuration", title, False, str(error), error.hint)
        return None, finding
    return config, Finding("configuration", title, True, config.portal)


def _keys(paths: Paths) -> Finding:
    title = _("Keys")
    keys = [paths.device_key, paths.seal_key, paths.link_key]
    missing = [str(path) for path in keys if not _is_file(path)]
    if missing:
        advice = _("Start the services citizenpc-agent and citizenpc-link once.")
        return Finding("keys", title, False, ", ".join(missing), advice)
    return Finding("keys", title, True)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # not ours to look at
        return False


def _link(status: Status | None) -> Finding:
    title = _("Agent and link")
    if status is None:
        advice = _("Start the service: systemctl start citizenpc-agent.")
        return Finding("link", title, False, _("the agent does not run"), advice)
    if not status.is_link_connected:
        advice = _("Start the service: systemctl start citizenpc-link.")
        return Finding("link", title, False, _("the link does not run"), advice)
    return Finding("link", title, True)


def _key_at_portal(status: Status | None) -> Finding:
    """Whether the portal takes what this computer signs."""
    title = _("Key at the portal")
    if status is None or not status.is_link_connected:
        return not_tried("key", title)
    if status.error:
        detail = status.error
        if detail in _OF_THE_KEY:
            detail = _("{code}: the portal does not accept this computer's key").format(
                code=detail
            )
        return Finding("key", title, False, detail, advice_for(status.error))
    if status.last_answer_at is None:
        return Finding("key", title, False, _("the portal has not answered yet"))
    socket = _("hints arrive at once") if status.is_socket_up else _("without hints")
    return Finding("key", title, True, socket)


def _enrolment(paths: Paths) -> Finding:
    title = _("Enrolment")
    try:
        enrolment = load_enrolment(paths.enrolment)
    except AgentError as error:
        return Finding("enrolment", title, False, str(error), error.hint)
    except OSError as error:
        advice = _("Run the command as the user that the agent runs as (root).")
        return Finding("enrolment", title, False, str(error), advice)
    if enrolment is None:
        advice = _("Enrol this computer: citizenpc-agent enrol --portal ... .")
        return Finding("enrolment", title, False, _("never begun"), advice)
    is_approved = enrolment.stage is Stage.APPROVED
    return Finding(
        "enrolment", title, is_approved, _outcome(enrolment), _next_step(enrolment)
    )


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
        "token-invalid": _("The portal knows another key; enrol this computer again."),
        "computer-revoked": _("Staff revoked this computer; enrol it again."),
        "signing-key-unexpected": _(
            "This is not the portal that the token is for; check its address."
        ),
    }.get(code, _("If it lasts, show this line to whoever runs the portal."))

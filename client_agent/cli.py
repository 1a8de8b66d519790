"""``citizenpc-agent``: what people and systemd call."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from client_agent.config import Config, check_config, save_config
from client_agent.doctor import advice_for, ask_for_check, examine
from client_agent.enrol import (
    SIGNING_KEY_UNEXPECTED,
    Enrolment,
    Stage,
    load_enrolment,
    save_enrolment,
    wanted,
)
from client_agent.errors import AgentError
from client_agent.finding import Finding
from client_agent.link_child import LinkChild
from client_agent.loop import run_agent
from client_agent.paths import Paths
from client_agent.protocol.enrolment import Product, parse_token
from client_agent.protocol.errors import ProtocolError
from client_agent.status import Status, read_status, running_pid, take_lock
from client_agent.texts import _

_CODE_SECONDS = 60.0
_APPROVAL_SECONDS = 24 * 3600.0
_DECIDED = (Stage.APPROVED, Stage.REFUSED, Stage.EXPIRED, Stage.FAILED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed, 2 wrong use, 78 config."""
    options = _parser().parse_args(arguments)
    command: Callable[[Paths, argparse.Namespace], int] = options.command
    try:
        return command(Paths(options.root.absolute()), options)
    except AgentError as error:
        _complain(error.code, error.detail, error.hint)
        return error.exit_status
    except ProtocolError as error:
        _complain(error.code.value, error.detail, "")
        return 2
    except PermissionError as error:
        hint = _("Run the command as the user that the agent runs as (root).")
        _complain("access-denied", str(error), hint)
        return 77  # EX_NOPERM of sysexits.h
    except OSError as error:
        _complain("disk-error", str(error), "")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="citizenpc-agent", description=_("The agent of a CitizenPC computer.")
    )
    commands = parser.add_subparsers(required=True, metavar=_("COMMAND"))
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        help=_("directory that stands for / (for trying things out)"),
    )
    _add_enrol(commands.add_parser("enrol", parents=[common], help=_("join a portal")))
    run = commands.add_parser("run", parents=[common], help=_("run the root half"))
    run.add_argument(
        "--with-link", action="store_true", help=_("start the link as well")
    )
    run.set_defaults(command=_run)
    status = commands.add_parser(
        "status", parents=[common], help=_("say how the running agent is")
    )
    status.add_argument("--json", action="store_true", help=_("for programs"))
    status.set_defaults(command=_status)
    doctor = commands.add_parser(
        "doctor", parents=[common], help=_("find out what is wrong")
    )
    doctor.add_argument("--json", action="store_true", help=_("for programs"))
    doctor.set_defaults(command=_doctor)
    return parser


def _add_enrol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--portal", required=True, help=_("https://name of the portal"))
    parser.add_argument("--token", required=True, help=_("enrolment token from staff"))
    parser.add_argument("--ca-file", help=_("the site's own CA certificates"))
    parser.add_argument("--proxy", help=_("http://name:port of the site's proxy"))
    parser.add_argument(
        "--product",
        choices=[product.value for product in Product],
        default=Product.DESKTOP.value,
    )
    parser.add_argument(
        "--no-wait", action="store_true", help=_("do not wait for the portal")
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help=_("even if the computer is enrolled already"),
    )
    parser.set_defaults(command=_enrol)


def _enrol(paths: Paths, options: argparse.Namespace) -> int:
    token = parse_token(options.token)
    config = check_config(
        Config(
            portal=options.portal,
            product=Product(options.product),
            ca_file=options.ca_file and os.path.abspath(options.ca_file),
            proxy=options.proxy,
        )
    )
    if not options.again:
        _refuse_if_enrolled(paths)
    save_config(paths.config, config)
    save_enrolment(paths.enrolment, wanted(token))
    pid = running_pid(paths.lock)
    if pid is None:
        print(_("Written down. Start the agent to enrol: citizenpc-agent run."))
        return 0
    return _follow_enrolment(paths, pid, is_waiting=not options.no_wait)


def _refuse_if_enrolled(paths: Paths) -> None:
    try:
        enrolment = load_enrolment(paths.enrolment)
    except AgentError:  # damaged: a new one is the remedy
        return
    if enrolment is not None and enrolment.stage is Stage.APPROVED:
        raise AgentError(
            "enrolled-already",
            str(enrolment.computer),
            hint=_("Add --again to give up the present enrolment."),
        )


def _follow_enrolment(paths: Paths, pid: int, *, is_waiting: bool) -> int:
    if not is_waiting:
        ask_for_check(paths, pid, seconds=0)
        return 0
    status = ask_for_check(
        paths,
        pid,
        is_done=lambda status: bool(
            status.pairing_code or _has_ended(paths) or _is_hopeless(status)
        ),
        seconds=_CODE_SECONDS,
    )
    if status is not None and status.pairing_code and not _has_ended(paths):
        code = status.pairing_code
        print(_("Pairing code: {code}").format(code=code))
        print(_("Waiting until staff compare it and approve the computer."), flush=True)
        ask_for_check(
            paths,
            pid,
            is_done=lambda status: _has_ended(paths),
            seconds=_APPROVAL_SECONDS,
        )
    return _tell_outcome(load_enrolment(paths.enrolment), status)


def _has_ended(paths: Paths) -> bool:
    enrolment = load_enrolment(paths.enrolment)
    return enrolment is not None and enrolment.stage in _DECIDED


def _is_hopeless(status: Status) -> bool:
    return status.error in (SIGNING_KEY_UNEXPECTED, "signature-invalid")


def _tell_outcome(enrolment: Enrolment | None, status: Status | None) -> int:
    stage = enrolment.stage if enrolment else None
    if stage is Stage.APPROVED:
        print(_("Approved: this computer is managed now."))
        return 0
    texts = {
        Stage.REFUSED: _("Refused by staff."),
        Stage.EXPIRED: _("Nobody approved the computer in time."),
        Stage.FAILED: _("The portal did not accept the token."),
    }
    text = texts.get(stage, "") if stage else ""
    code = (enrolment.code if enrolment else "") or (status.error if status else "")
    advice = _("Ask staff for a new token.") if text else advice_for(code)
    _complain(code or "enrolment-open", text, advice)
    return 1


def _run(paths: Paths, options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    paths.prepare()
    with contextlib.ExitStack() as stack:
        # Who sees the lock may send SIGHUP before the loop listens for it. Nothing is
        # lost: the loop reads everything when it begins.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stack.enter_context(take_lock(paths.lock))
        child = None
        if options.with_link:
            child = stack.enter_context(LinkChild(paths.root))
        asyncio.run(run_agent(paths, child=child))
    return 0


def _status(paths: Paths, options: argparse.Namespace) -> int:
    status = read_status(paths.status)
    if status is None or running_pid(paths.lock) is None:
        raise AgentError(
            "agent-stopped",
            hint=_("Start the service: systemctl start citizenpc-agent."),
        )
    if options.json:
        print(msgspec.json.encode(status).decode())
        return 0
    for name, value in _lines(status):
        print(f"{name + ':':<16} {value}")
    return 0


def _lines(status: Status) -> list[tuple[str, str]]:
    answer = status.last_answer_at
    lines = [
        (_("Portal"), status.portal or "-"),
        (_("Enrolment"), status.enrolment or "-"),
        (_("Pairing code"), status.pairing_code),
        (_("Computer"), status.computer),
        (_("Link"), _("connected") if status.is_link_connected else _("absent")),
        (_("Hints"), _("at once") if status.is_socket_up else _("by asking")),
        (_("Last answer"), answer.isoformat(timespec="seconds") if answer else "-"),
        (_("Revision"), str(status.revision or "-")),
        (_("Jobs"), str(status.jobs)),
        (_("Reports waiting"), str(status.reports_waiting)),
        (_("Trouble"), status.error),
    ]
    return [(name, value) for name, value in lines if value]


def _doctor(paths: Paths, options: argparse.Namespace) -> int:
    findings = []
    for finding in examine(paths):
        findings.append(finding)
        if not options.json:
            _tell(finding)
    if options.json:
        print(msgspec.json.encode(findings).decode())
    return 0 if all(finding.is_well for finding in findings) else 1


def _tell(finding: Finding) -> None:
    state = _("well") if finding.is_well else _("TROUBLE")
    if not finding.is_tried:
        state = _("not tried")
    print(f"{finding.title}: {state} {finding.detail}".rstrip(), flush=True)
    if finding.advice:
        print(f"    {finding.advice}")


def _complain(code: str, detail: str, hint: str) -> None:
    text = f"{code}: {detail}" if detail else code
    print(f"citizenpc-agent: {text}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""The root half: what it does, when, and what it tells.

boot -> load -> apply what is on disk -> connect -> ask, verify, apply, report; again.
"""

import asyncio
import contextlib
import logging
import os
import signal
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from client_agent import key_files, link_channel, peer
from client_agent.backoff import jittered
from client_agent.clock import Clock, boot_seconds, build_time
from client_agent.config import Config, load_config
from client_agent.enrol import (
    Enroller,
    Enrolment,
    Stage,
    enrolment_facts,
    load_enrolment,
    save_enrolment,
)
from client_agent.errands import Errands
from client_agent.errors import AgentError
from client_agent.facts import collect
from client_agent.inventory import Inventory
from client_agent.jobs.queue import Callbacks, open_queue
from client_agent.link_channel import LinkChannel
from client_agent.link_child import LinkChild
from client_agent.link_frames import Configure
from client_agent.managed import Managed
from client_agent.paths import Paths
from client_agent.portal import Portal, PortalError
from client_agent.protocol import codec
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint
from client_agent.protocol.state import DesiredState
from client_agent.reconcile import Context
from client_agent.reconciling import Reconciler
from client_agent.reporting import Reporter
from client_agent.spool import Spool
from client_agent.status import Status, write_status
from client_agent.verify import Trust

log = logging.getLogger(__name__)

_TICK_SECONDS = 10.0
"""How often clock and configuration are looked at when nothing else happens."""

_STOP_SECONDS = 2.0
_REPORT_SECONDS = 0.5
"""Reports of one moment travel together."""

_FACTS_SECONDS = 3600.0
_PURGE_SECONDS = 3600.0
_ORDERS_SECONDS = 15.0
"""How often orders are asked for while jobs run and there is no socket."""

_MISBEHAVED_SECONDS = 60.0
_POLL_SECONDS = 300
_IDLE_POLL_SECONDS = 3600
_ERRAND_OF = {Hint.STATE: "state", Hint.JOBS: "jobs", Hint.ORDERS: "orders"}
_IDENTIFIED = (Stage.APPROVED, Stage.REVOKED)


class Agent(link_channel.LinkEvents):
    """Everything of one root half, below one root directory."""

    def __init__(self, paths: Paths, *, link_uid: int | None = None) -> None:
        paths.prepare()
        self._paths = paths
        self._config: Config | None = None
        self._enrolment: Enrolment | None = None
        self._managed: Managed | None = None
        self._inventory: Inventory | None = None
        self._reconciler: Reconciler | None = None
        self._reconciling: asyncio.Task[None] | None = None
        self._seen_files: tuple[object, ...] = ()
        self._error = ""
        self._checks = 0
        self._is_socket_up = False
        self._last_answer_at: datetime | None = None
        self._misbehaved_at = -_MISBEHAVED_SECONDS
        self._stopped = asyncio.Event()
        self._clock = Clock(build_time())
        self._started_at = self._clock.now()
        self._reporter = Reporter(
            Spool(paths.spool),
            clock=self._clock,
            added=lambda: self._errands.ask("reports", within=_REPORT_SECONDS),
        )
        uid = peer.expected_link_uid(paths.root) if link_uid is None else link_uid
        self._channel = LinkChannel(paths.socket, link_uid=uid, events=self)
        self._portal = Portal(
            self._channel, answered=self._note_answer, revoked=self._take_revocation
        )
        seal_key = key_files.sealing_key(paths.seal_key)
        self._enroller = Enroller(
            self._portal,
            device_key=key_files.signing_key(paths.device_key),
            seal_public_key=key_files.public_bytes(seal_key),
            persist=self._persist_enrolment,
        )
        self._queue = open_queue(
            paths,
            self._portal,
            clock=self._clock,
            seal_key=seal_key,
            trust=self._trust,
            callbacks=Callbacks(self._reporter.note, self._job_ended),
        )
        self._errands = Errands(
            {
                "enrol": self._enrol,
                "poll": self._poll,
                "state": self._check_state,
                "orders": self._obey_orders,
                "jobs": self._lease_jobs,
                "reports": self._send_reports,
                "facts": self._send_facts,
                "purge": self._purge,
            },
            now=boot_seconds,
            beside=frozenset({"reports", "facts"}),
        )

    async def run(self) -> None:
        """Work until `stop`."""
        await self._channel.open()
        self._reporter.note("agent-started", {})
        self._look_again()
        self._queue.resume()
        self._errands.ask("purge", within=_PURGE_SECONDS)
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            await self._shut_down([working, stopping])

    def stop(self) -> None:
        self._stopped.set()

    def look_again(self) -> None:
        """Configuration or enrolment changed, or somebody wants to know: ask now."""
        self._look_again()
        self._errands.hurry()
        self._ask_for_everything()

    # what link tells

    def link_came(self, link_key: bytes) -> None:
        self._errands.hurry()
        self._ask_for_everything()
        self._queue.hurry()

    def link_went(self) -> None:
        self._is_socket_up = False
        self._errands.hurry()

    def nudged(self, hint: Hint) -> None:
        self._errands.hurry()
        self._errands.ask(_ERRAND_OF.get(hint, "poll"))

    def socket_changed(self, is_up: bool) -> None:
        self._is_socket_up = is_up
        if is_up:
            self._errands.hurry()
            self._queue.hurry()
            self._errands.ask("poll")  # hints may have been missed
        else:
            self._errands.ask("poll", within=self._poll_seconds())

    def link_misbehaved(self, detail: str) -> None:
        if boot_seconds() - self._misbehaved_at >= _MISBEHAVED_SECONDS:
            self._misbehaved_at = boot_seconds()
            self._reporter.note("link-misbehaved", {"detail": detail})

    # the loop

    async def _work(self) -> None:
        while True:
            self._write_status()
            await self._errands.wait(
                most_seconds=_TICK_SECONDS, is_able=self._channel.link_key is not None
            )
            if self._clock.jumped():
                log.warning("the clock was set")
                self._ask_to_reconcile()
                self._errands.ask("poll")
            if self._seen_files != self._files_now():
                self._look_again()
            if self._channel.link_key is not None and await self._errands.run_due():
                self._checks += 1

    def _ask_for_everything(self) -> None:
        for name in ("enrol", "poll", "jobs", "reports"):
            self._errands.ask(name)

    def _ask_to_reconcile(self) -> None:
        if self._reconciler is not None:
            self._reconciler.ask()

    async def _enrol(self) -> float | None:
        enrolment, link_key = self._enrolment, self._channel.link_key
        if self._config is None or enrolment is None or link_key is None:
            return None
        if not enrolment.is_asking:
            return None
        facts = enrolment_facts(self._config.product, self._paths.root)
        try:
            after, seconds = await self._enroller.step(
                enrolment, link_key=link_key, facts=facts
            )
        except AgentError as error:
            self._error = error.code
            raise
        self._error = after.code
        self._enrolment = after
        self._take_identity()
        return jittered(seconds) if after.is_asking else None

    async def _poll(self) -> float | None:
        """The regular look at everything that a lost hint could have been about."""
        if self._managed is None:
            return None
        await self._check_state()
        return self._poll_seconds()

    async def _check_state(self) -> None:
        if self._managed is None:
            return
        try:
            is_other, work = await self._managed.check_state()
        except PortalError as error:
            if error.code == ErrorCode.COMPUTER_REVOKED.value and not self._trust():
                return  # known, and nothing to hurry about
            raise
        self._error = ""
        self._end_revocation()
        if is_other:
            self._ask_to_reconcile()
        for hint in work:
            self._errands.ask(_ERRAND_OF[hint])

    async def _obey_orders(self) -> float | None:
        if self._managed is None or self._trust() is None:
            return None
        if await self._managed.obey_orders():
            return 0.0
        is_watching = self._queue.active > 0 and not self._is_socket_up
        return _ORDERS_SECONDS if is_watching else None

    async def _lease_jobs(self) -> float | None:
        trust = self._trust()
        if trust is None:
            return None
        has_more = await self._queue.lease(trust)
        if self._queue.active and not self._is_socket_up:
            self._errands.ask("orders", within=_ORDERS_SECONDS)
        return 0.0 if has_more else None

    async def _send_reports(self) -> float | None:
        if self._trust() is None:
            return None
        return await self._reporter.send(self._portal)

    async def _send_facts(self) -> float | None:
        if self._trust() is None or self._inventory is None:
            return None
        await self._inventory.send()
        return jittered(_FACTS_SECONDS)

    async def _purge(self) -> float:
        self._queue.purge(self._clock.now())
        return _PURGE_SECONDS

    # who we are

    def _trust(self) -> Trust | None:
        """Whom to obey now; None before approval and after a revocation."""
        is_approved = (
            self._enrolment is not None and self._enrolment.stage is Stage.APPROVED
        )
        return self._managed.trust if self._managed and is_approved else None

    def _poll_seconds(self) -> float:
        if self._trust() is None:
            return jittered(_IDLE_POLL_SECONDS)
        state = self._managed.state if self._managed else None
        seconds = state.poll_seconds if state else _POLL_SECONDS
        if self._is_socket_up:
            seconds = state.idle_poll_seconds if state else _IDLE_POLL_SECONDS
        return jittered(seconds)

    def _look_again(self) -> None:
        """Read configuration and enrolment as they are on disk now."""
        self._seen_files = self._files_now()
        self._error = ""
        try:
            self._enrolment = load_enrolment(self._paths.enrolment)
            self._config = load_config(self._paths.config)
        except AgentError as error:
            self._error = error.code
            log.warning("%s (%s)", error, error.hint)
        else:
            self._error = self._enrolment.code if self._enrolment else "not-enrolled"
        self._take_identity()
        self._errands.ask("enrol")

    def _files_now(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in (self._paths.config, self._paths.enrolment):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((path, stat.st_mtime_ns, stat.st_ino))
        return tuple(found)

    def _take_identity(self) -> None:
        """Become what the enrolment says, and have link become it."""
        enrolment, config = self._enrolment, self._config
        has_identity = enrolment is not None and enrolment.stage in _IDENTIFIED
        computer = enrolment.computer if enrolment and has_identity else None
        if enrolment and computer and enrolment.signing_key and config:
            trust = Trust(computer, enrolment.signing_key)
            if self._managed is None or self._managed.trust != trust:
                self._become(trust, config)
        elif self._managed is not None:
            self._become_nobody()
        if config is not None:
            self._channel.configure(
                Configure(
                    portal=config.portal,
                    audience=config.portal,
                    computer=computer,
                    ca_file=config.ca_file,
                    proxy=config.proxy,
                    wants_socket=self._trust() is not None,
                )
            )

    def _become(self, trust: Trust, config: Config) -> None:
        self._become_nobody()
        self._managed = Managed(
            trust,
            self._paths.accepted_state,
            portal=self._portal,
            clock=self._clock,
            note=self._reporter.note,
            note_order=self._reporter.note_order,
            cancel_job=self._queue.cancel,
        )
        context = Context(self._paths.root, config.product.value)
        self._inventory = Inventory(
            self._paths.facts,
            self._portal,
            computer=trust.computer,
            collect=partial(collect, context),
        )
        self._reconciler = Reconciler(
            context,
            state=self._state_to_keep,
            report=self._reporter.note_outcome,
            failed=lambda name: self._reporter.note(
                "reconcile-failed", {"error": name}
            ),
        )
        self._reconciling = asyncio.create_task(self._reconciler.run())
        self._errands.ask("poll")
        self._errands.ask("facts")
        self._errands.ask("reports")

    def _become_nobody(self) -> None:
        if self._reconciling is not None:
            self._reconciling.cancel()
        self._managed = self._inventory = self._reconciler = self._reconciling = None

    def _state_to_keep(self) -> DesiredState | None:
        return self._managed.state if self._managed and self._trust() else None

    def _persist_enrolment(self, after: Enrolment) -> None:
        if load_enrolment(self._paths.enrolment) != self._enrolment:
            raise AgentError("enrolment-superseded")  # somebody enrols anew
        save_enrolment(self._paths.enrolment, after)
        self._seen_files = self._files_now()

    def _take_revocation(self, encoded: bytes) -> None:
        if self._managed is None or self._enrolment is None or self._trust() is None:
            return
        try:
            signed = codec.decode(Signed, encoded)
        except ProtocolError as error:
            log.warning("a revocation is not understood: %s", error)
            return
        revoked_at = self._managed.believes_revocation(signed)
        if revoked_at is not None:
            log.warning("this computer was revoked")
            self._change_stage(self._enrolment, Stage.REVOKED, revoked_at)

    def _end_revocation(self) -> None:
        """A state compiled after the revocation says that we are managed again."""
        enrolment, managed = self._enrolment, self._managed
        if enrolment is None or managed is None or managed.state is None:
            return
        revoked_at = enrolment.revoked_at
        if revoked_at is not None and managed.state.compiled_at > revoked_at:
            self._change_stage(enrolment, Stage.APPROVED, None)
            self._ask_to_reconcile()

    def _change_stage(
        self, enrolment: Enrolment, stage: Stage, revoked_at: datetime | None
    ) -> None:
        after = msgspec.structs.replace(enrolment, stage=stage, revoked_at=revoked_at)
        self._persist_enrolment(after)
        self._enrolment = after
        self._take_identity()

    # what is told

    def _note_answer(self) -> None:
        self._last_answer_at = self._clock.now()

    def _job_ended(self) -> None:
        self._errands.ask("jobs")

    def _write_status(self) -> None:
        enrolment, state = self._enrolment, self._managed and self._managed.state
        status = Status(
            pid=os.getpid(),
            started_at=self._started_at,
            checks=self._checks,
            portal=self._config.portal if self._config else "",
            enrolment=enrolment.stage.value if enrolment else "",
            pairing_code=self._enroller.pairing_code(enrolment) if enrolment else "",
            computer=str(enrolment.computer or "") if enrolment else "",
            error=self._error or self._errands.error,
            is_link_connected=self._channel.link_key is not None,
            is_socket_up=self._is_socket_up,
            last_answer_at=self._last_answer_at,
            clock_offset_seconds=self._channel.clock_offset_seconds,
            revision=state.revision if state else 0,
            jobs=self._queue.active,
            reports_waiting=self._reporter.waiting,
        )
        try:
            write_status(self._paths.status, status)
        except OSError as error:
            log.warning("the status cannot be written: %s", error)

    async def _shut_down(self, tasks: "list[asyncio.Task[Any]]") -> None:
        """Ends in good time whatever still runs; reports of jobs get a moment."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._errands.cancel()
        self._become_nobody()
        await self._queue.stop(grace_seconds=_STOP_SECONDS)
        await self._channel.close()
        self._paths.status.unlink(missing_ok=True)


async def run_agent(paths: Paths, *, child: LinkChild | None = None) -> None:
    """Run one root half until SIGTERM or SIGINT; SIGHUP has it look and ask again.

    `child` is a link to keep alive beside it.
    """
    agent = Agent(paths)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    loop.add_signal_handler(signal.SIGHUP, agent.look_again)
    watching = asyncio.create_task(child.watch()) if child else None
    try:
        await agent.run()
    finally:
        if watching is not None:
            watching.cancel()

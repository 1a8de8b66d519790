"""What the loop has to do, each thing when its time has come."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf

from client_agent.backoff import Backoff
from client_agent.errors import AgentError
from client_agent.link_channel import LinkError
from client_agent.portal import PortalError
from client_agent.waiting import happens

log = logging.getLogger(__name__)

_SPACING_SECONDS = 0.05
"""Between two runs of one errand, however often it is asked for."""

Action = Callable[[], Awaitable[float | None]]
"""Does the errand once; seconds until the next time, None: only when asked."""


class Errand:
    """One thing to do, when it is due, and how long to wait after a refusal."""

    def __init__(self, name: str, action: Action, *, is_beside: bool) -> None:
        self.name = name
        self.action = action
        self.is_beside = is_beside
        self.due_at = inf
        self.ran_at = -inf
        self.backoff = Backoff()
        self.error = ""
        self.task: asyncio.Task[None] | None = None


class Errands:
    """Runs errands in turn, those named in `beside` each in a task of its own.

    Times are seconds of `now`, a clock of boot. While the portal cannot be reached or
    is overloaded all of them wait together; `hurry` ends that.
    """

    def __init__(
        self,
        actions: dict[str, Action],
        *,
        now: Callable[[], float],
        beside: frozenset[str] = frozenset(),
    ) -> None:
        self._errands = {
            name: Errand(name, action, is_beside=name in beside)
            for name, action in actions.items()
        }
        self._now = now
        self._outage = Backoff()
        self._quiet_until = -inf
        self._changed = asyncio.Event()

    @property
    def error(self) -> str:
        """Code of what failed and has not been done since."""
        return next((e.error for e in self._errands.values() if e.error), "")

    def ask(self, name: str, *, within: float = 0.0) -> None:
        """Have it done within so many seconds, if not earlier."""
        errand = self._errands[name]
        errand.due_at = min(errand.due_at, self._now() + within)
        self._changed.set()

    def hurry(self) -> None:
        """There is a sign that the portal can be reached."""
        self._quiet_until = -inf
        self._changed.set()

    async def wait(self, *, most_seconds: float, is_able: bool = True) -> None:
        """Until something is due or changed, at most so long.

        Unless `is_able`, nothing can be done and nothing counts as due.
        """
        seconds = most_seconds
        if is_able:
            due_at = min(self._may_run_at(errand) for errand in self._errands.values())
            seconds = min(most_seconds, max(0.0, due_at - self._now()))
        await happens(self._changed, within=seconds)
        self._changed.clear()

    async def run_due(self) -> bool:
        """Do what is due, in the order given; whether there was anything."""
        has_run = False
        for errand in self._errands.values():
            if self._may_run_at(errand) > self._now():
                continue
            has_run = True
            if errand.is_beside:
                errand.task = asyncio.create_task(self._run(errand), name=errand.name)
            else:
                await self._run(errand)
        return has_run

    async def cancel(self) -> None:
        """End those that run beside."""
        tasks = [e.task for e in self._errands.values() if e.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _may_run_at(self, errand: Errand) -> float:
        if errand.task is not None and not errand.task.done():
            return inf
        return max(errand.due_at, self._quiet_until, errand.ran_at + _SPACING_SECONDS)

    async def _run(self, errand: Errand) -> None:
        errand.due_at = inf
        errand.ran_at = self._now()
        try:
            again = await errand.action()
        except (AgentError, OSError) as error:
            self._failed(errand, error)
        except Exception:
            log.exception("%s failed unexpectedly", errand.name)
            self.ask(errand.name, within=errand.backoff.after_failure())
        else:
            errand.backoff.succeeded()
            self._outage.succeeded()
            errand.error = ""
            if again is not None:
                self.ask(errand.name, within=again)
        self._changed.set()

    def _failed(self, errand: Errand, error: AgentError | OSError) -> None:
        errand.error = error.code if isinstance(error, AgentError) else "disk-error"
        wanted = error.retry_seconds if isinstance(error, PortalError) else 0
        if is_outage(error):
            wait = self._outage.after_failure(at_least=wanted)
            self._quiet_until = self._now() + wait
        else:
            wait = errand.backoff.after_failure(at_least=wanted)
        log.warning("%s: %s; again in %.0f s", errand.name, error, wait)
        self.ask(errand.name, within=wait)


def is_outage(error: Exception) -> bool:
    """Whether nothing at all can be had from the portal for now."""
    if isinstance(error, PortalError):
        return error.code in ("rate-limited", "temporarily-unavailable") or (
            error.code.startswith("http-5")
        )
    return isinstance(error, LinkError)

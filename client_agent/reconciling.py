"""Keeping the computer as the accepted state wants it."""

import asyncio
import logging
from collections.abc import Callable

from client_agent.background import in_thread
from client_agent.backoff import jittered
from client_agent.protocol.reports import Compliance
from client_agent.protocol.state import DesiredState
from client_agent.reconcile import Context, Outcome, reconcile
from client_agent.waiting import happens

log = logging.getLogger(__name__)

_DRIFT_SECONDS = 900.0
"""How often somebody's change to what we keep is looked for."""

Report = Callable[[Outcome, int], None]
"""Takes how a setting stands, and the revision of the state."""


class Reconciler:
    """Runs `reconcile` at once when asked and every quarter of an hour.

    What is reported is what changed since the last report, and each mending.
    """

    def __init__(
        self,
        context: Context,
        *,
        state: Callable[[], DesiredState | None],
        report: Report,
        failed: Callable[[str], None],
    ) -> None:
        self._context = context
        self._state = state
        self._report = report
        self._failed = failed
        self._asked = asyncio.Event()
        self._told: dict[str, tuple[int, str, str]] = {}

    def ask(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        """Never returns."""
        while True:
            state = self._state()
            if state is not None:
                await self._reconcile(state)
            await happens(self._asked, within=jittered(_DRIFT_SECONDS))
            self._asked.clear()

    async def _reconcile(self, state: DesiredState) -> None:
        try:
            outcomes = await in_thread(
                lambda: reconcile(state.settings, context=self._context)
            )
        except Exception as error:
            log.exception("reconcile failed")
            self._failed(type(error).__name__)
            return
        for outcome in outcomes:
            stands = (state.revision, outcome.status.value, outcome.code)
            is_news = self._told.get(outcome.setting) != stands
            if is_news or outcome.status is Compliance.MENDED:
                self._told[outcome.setting] = stands
                self._report(outcome, state.revision)

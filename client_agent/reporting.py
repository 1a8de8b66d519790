"""Records of what happened, and their way to the portal."""

from collections.abc import Callable, Mapping

from client_agent.clock import Clock
from client_agent.errors import AgentError
from client_agent.portal import Portal, PortalError
from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.reports import (
    ComplianceRecord,
    EventRecord,
    OrderRecord,
    Record,
)
from client_agent.protocol.types import Json
from client_agent.reconcile import Outcome
from client_agent.spool import Spool

_DETAIL_CHARACTERS = 4000


class Reporter:
    """Keeps records in the spool; `added` is called after each."""

    def __init__(
        self, spool: Spool, *, clock: Clock, added: Callable[[], None]
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._added = added

    @property
    def waiting(self) -> int:
        """Records that the portal does not have."""
        return len(self._spool)

    def note(self, code: str, arguments: Mapping[str, Json]) -> None:
        """An event."""
        at = self._clock.now()
        self._add(lambda seq: EventRecord(seq, at, code, dict(arguments)))

    def note_order(self, order: int, code: str) -> None:
        """What became of an order: empty `code`, or why it was refused."""
        at = self._clock.now()
        self._add(lambda seq: OrderRecord(seq, at, order, code))

    def note_outcome(self, outcome: Outcome, revision: int) -> None:
        """How a setting stands after a reconcile."""
        at = self._clock.now()
        self._add(
            lambda seq: ComplianceRecord(
                seq=seq,
                at=at,
                setting=outcome.setting,
                status=outcome.status,
                revision=revision,
                code=outcome.code,
                detail=outcome.detail[:_DETAIL_CHARACTERS],
            )
        )

    async def send(self, portal: Portal) -> float | None:
        """Send the oldest records; 0 seconds until the next time if there are more.

        Raises:
            LinkError, PortalError, AgentError: they stay in the spool.
        """
        batch = self._spool.batch()
        if batch is None:
            return None
        try:
            answer = await portal.report(batch)
        except PortalError as error:
            offset = error.problem.offset if error.problem else None
            if error.code == ErrorCode.REPORT_GAP.value and offset is not None:
                self._spool.fill_gap(batch.stream, offset)
            raise
        if answer.acknowledged < batch.records[0].seq:
            raise AgentError("reports-not-taken")
        self._spool.acknowledge(batch.stream, answer.acknowledged)
        return 0.0 if len(self._spool) else None

    def _add(self, make: Callable[[int], Record]) -> None:
        self._spool.add(make, at=self._clock.now())
        self._added()

"""Output on its way to the portal, live and repeated until it has arrived."""

import asyncio
import time
from collections.abc import Callable

from client_agent.backoff import Backoff
from client_agent.jobs.journal import Entry
from client_agent.jobs.output import last_boundary
from client_agent.link_channel import LinkError
from client_agent.portal import Portal, PortalError
from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.jobs import OutputAnswer, OutputRequest
from client_agent.waiting import happens

_LIVE_SECONDS = 0.1
"""Between two requests while a script prints; the first line goes at once."""

_MOST_SECONDS = 60.0
"""Longest wait after failures, so that a job is followed soon after an outage."""

_NO_LEASE_SECONDS = 30.0
"""Least wait while the portal has given the lease to nobody or somebody else."""


class LeaseLost(Exception):
    """The script is over and its lease as well; a new one is needed to go on."""


class OutputSender:
    """Sends one job's output from wherever the portal has it up to.

    `entry` gives the job as journalled now, because its lease may change. `printed`
    gives all that may be sent so far; `wake` tells that it grew. With `base` None the
    portal's copy may hold an earlier run's output, after which this one's begins.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        entry: Callable[[], Entry],
        printed: Callable[[], bytes],
        base: int | None,
        found_base: Callable[[int], None] = lambda base: None,
    ) -> None:
        self._portal = portal
        self._entry = entry
        self._printed = printed
        self._base = base
        self._found_base = found_base
        self._arrived = 0
        self._is_synchronised = False
        self._is_closed = False
        self._is_given_up = False
        self._printed_more = asyncio.Event()
        self._hurried = asyncio.Event()
        self._sent_at = self._live_at = time.monotonic()
        self._backoff = Backoff(most_seconds=_MOST_SECONDS)

    @property
    def stored_bytes(self) -> int:
        """Length of the portal's copy, as far as it is known."""
        return (self._base or 0) + self._arrived

    def wake(self) -> None:
        """There is more to send."""
        self._printed_more.set()

    def hurry(self) -> None:
        """What failed may work now: there is a new lease, or a way to the portal."""
        self._hurried.set()

    def replace(self, printed: Callable[[], bytes]) -> None:
        """From now on `printed` tells all; it begins with what was told before."""
        self._printed = printed

    def close(self) -> None:
        """Nothing more will be printed."""
        self._is_closed = True
        self._printed_more.set()

    async def run(self) -> None:
        """Send until closed and all has arrived, or the portal takes no more.

        Also gives the sign of life that keeps the lease.

        Raises:
            LeaseLost: closed, and there is no lease to send with.
        """
        while not (self._is_closed and self._has_all_arrived()):
            if self._is_synchronised and not self._has_more():
                if not await happens(self._printed_more, within=self._life_due()):
                    await self._send(b"")
                self._printed_more.clear()
                continue
            await asyncio.sleep(max(0.0, self._live_at - time.monotonic()))
            await self._send(self._next_chunk())

    def _has_more(self) -> bool:
        return not self._is_given_up and self._arrived < len(self._printed())

    def _has_all_arrived(self) -> bool:
        return self._is_given_up or (self._is_synchronised and not self._has_more())

    def _next_chunk(self) -> bytes:
        if not self._is_synchronised:
            return b""
        rest = self._printed()[self._arrived :]
        end = last_boundary(rest, limits.OUTPUT_CHUNK_BYTES)
        return rest[: end or limits.OUTPUT_CHUNK_BYTES]

    async def _send(self, data: bytes) -> None:
        entry = self._entry()
        if entry.lease_id is None:
            raise LeaseLost
        request = OutputRequest(
            lease_id=entry.lease_id, offset=self.stored_bytes, data=data
        )
        self._sent_at = time.monotonic()
        if data:
            self._live_at = self._sent_at + _LIVE_SECONDS
        try:
            answer = await self._portal.send_output(entry.id, request)
        except LinkError:
            await self._pause(self._backoff.after_failure())
        except PortalError as error:
            await self._refused(error)
        else:
            await self._take(answer, sent=len(data))

    async def _take(self, answer: OutputAnswer, *, sent: int) -> None:
        before = self._arrived
        self._synchronise(answer.next_offset)
        if sent and self._arrived <= before:  # it took nothing: do not hurry
            await self._pause(self._backoff.after_failure())
        else:
            self._backoff.succeeded()

    def _synchronise(self, next_offset: int) -> None:
        if self._base is None:
            self._base = next_offset
            self._found_base(next_offset)
        arrived = next_offset - self._base
        self._arrived = min(max(arrived, 0), len(self._printed()))
        self._is_synchronised = True

    async def _refused(self, error: PortalError) -> None:
        offset = error.problem.offset if error.problem else None
        if error.code == ErrorCode.OUTPUT_GAP.value and offset is not None:
            self._synchronise(offset)
        elif error.code == ErrorCode.OUTPUT_TOO_LONG.value or (
            error.code == ErrorCode.JOB_UNKNOWN.value and self._is_closed
        ):
            self._is_given_up = True
        elif error.code == ErrorCode.LEASE_LOST.value:
            if self._is_closed:
                raise LeaseLost
            await self._pause(self._backoff.after_failure(at_least=_NO_LEASE_SECONDS))
        else:
            wait = self._backoff.after_failure(at_least=error.retry_seconds)
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        await happens(self._hurried, within=seconds)
        self._hurried.clear()

    def _life_due(self) -> float:
        due_at = self._sent_at + self._entry().lease_seconds / 3
        return max(0.0, due_at - time.monotonic())

"""Obeying one organisation: its desired states and its orders, once verified."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

from client_agent import verify
from client_agent.accepted import AcceptedState
from client_agent.clock import Clock
from client_agent.portal import Portal, StateAnswer
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.orders import OrderDocument
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint
from client_agent.protocol.state import DesiredState
from client_agent.protocol.types import Json
from client_agent.verify import Trust

log = logging.getLogger(__name__)

_MOST_REFUSED = 100
_ORDERS_AT_ONCE = 100

Note = Callable[[str, Mapping[str, Json]], None]
"""Takes an event for the portal: its code and arguments."""

NoteOrder = Callable[[int, str], None]
"""Takes what became of an order: its number, and why it was refused."""


class Managed:
    """A computer with its pinned key. `cancel_job` returns a code if it cannot."""

    def __init__(
        self,
        trust: Trust,
        path: Path,
        *,
        portal: Portal,
        clock: Clock,
        note: Note,
        note_order: NoteOrder,
        cancel_job: Callable[[UUID], str],
    ) -> None:
        self.trust = trust
        self._portal = portal
        self._clock = clock
        self._note = note
        self._note_order = note_order
        self._cancel_job = cancel_job
        self._accepted = AcceptedState(path, trust)
        self._refused: list[bytes] = []
        self._raise_floor()

    @property
    def state(self) -> DesiredState | None:
        """The state that holds now."""
        return self._accepted.state

    async def check_state(self) -> tuple[bool, frozenset[Hint]]:
        """Ask for the desired state; whether another one holds now, and what waits.

        A state that is not to be believed is noted as an event and changes nothing.
        """
        answer = await self._portal.state(self._accepted.etag)
        return self._accepts(answer), answer.work

    def _accepts(self, answer: StateAnswer) -> bool:
        if answer.signed is None:
            return False
        try:
            is_other = self._accepted.accept(answer.signed, answer.etag)
        except ProtocolError as error:
            self._refuse(answer.signed, error)
            return False
        self._raise_floor()
        return is_other

    async def obey_orders(self) -> bool:
        """Ask for orders and obey each once; whether there may be more."""
        before = self._accepted.last_order
        answer = await self._portal.orders(before)
        for signed in answer.orders:
            try:
                order = verify.open_order(signed, self.trust)
            except ProtocolError as error:
                self._refuse(signed, error)
                continue
            self._obey(order, self._clock.now())
        is_full = len(answer.orders) >= _ORDERS_AT_ONCE
        return is_full and self._accepted.last_order > before

    def believes_revocation(self, signed: Signed) -> datetime | None:
        """When the organisation gave this computer up; None if it did not."""
        try:
            revocation = verify.open_revocation(signed, self.trust)
        except ProtocolError as error:
            self._refuse(signed, error)
            return None
        if self.state is not None and revocation.revoked_at < self.state.compiled_at:
            return None  # from before it was taken in again
        return revocation.revoked_at

    def _obey(self, order: OrderDocument, now: datetime) -> None:
        try:
            verify.check_order(order, last_seq=self._accepted.last_order, now=now)
        except ProtocolError as error:
            if error.code is ErrorCode.DOCUMENT_REPLAYED:
                return
            code = error.code.value
        else:
            code = self._carry_out(order)
        self._accepted.order_seen(order.seq)
        self._note_order(order.seq, code)

    def _carry_out(self, order: OrderDocument) -> str:
        """Cancel the job, the one thing there is to order; twice does no harm."""
        try:
            job = UUID(str(order.arguments.get("job")))
        except ValueError:
            return ErrorCode.JOB_UNKNOWN.value
        return self._cancel_job(job)

    def _refuse(self, signed: Signed, error: ProtocolError) -> None:
        """Note the refusal, once for each document that keeps being offered."""
        digest = hashlib.sha256(signed.payload + signed.signature).digest()
        if digest in self._refused:
            return
        self._refused = [*self._refused[-_MOST_REFUSED:], digest]
        log.warning("a document of kind %s is refused: %s", signed.kind.value, error)
        arguments: dict[str, Json] = {"kind": signed.kind.value}
        self._note(error.code.value, arguments)

    def _raise_floor(self) -> None:
        if self.state is not None:
            self._clock.raise_floor(self.state.compiled_at)

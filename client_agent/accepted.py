"""The last desired state that this computer believed, and where its orders stand."""

import logging
from pathlib import Path

import msgspec

from client_agent import verify
from client_agent.host.files import read_or_none, write_atomically
from client_agent.protocol.errors import ProtocolError
from client_agent.protocol.signed import Signed
from client_agent.protocol.state import DesiredState
from client_agent.protocol.types import Count, Uid
from client_agent.verify import Trust

log = logging.getLogger(__name__)


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """Content of ``state.json``; all of it belongs to one computer's identity."""

    computer: Uid
    signed: Signed | None = None
    etag: str = ""
    last_order: Count = 0


class AcceptedState:
    """`Accepted` in memory and on disk, verified again when it is read."""

    def __init__(self, path: Path, trust: Trust) -> None:
        self._path = path
        self._trust = trust
        self._accepted = self._load()
        self.state = self._open()

    @property
    def etag(self) -> str:
        return self._accepted.etag

    @property
    def last_order(self) -> int:
        return self._accepted.last_order

    def accept(self, signed: Signed, etag: str) -> bool:
        """Believe a state from now on; whether it is another than before.

        Raises:
            ProtocolError: it is not to be believed; nothing changed.
            OSError: it could not be written down; nothing changed.
        """
        state = verify.open_state(signed, self._trust, accepted=self._accepted.signed)
        is_other = state != self.state
        self._save(msgspec.structs.replace(self._accepted, signed=signed, etag=etag))
        self.state = state
        return is_other

    def order_seen(self, seq: int) -> None:
        """No order up to `seq` is obeyed any more. Raises OSError."""
        self._save(msgspec.structs.replace(self._accepted, last_order=seq))

    def _save(self, accepted: Accepted) -> None:
        write_atomically(self._path, msgspec.json.encode(accepted), mode=0o600)
        self._accepted = accepted

    def _load(self) -> Accepted:
        fresh = Accepted(computer=self._trust.computer)
        raw = read_or_none(self._path)
        if raw is None:
            return fresh
        try:
            accepted = msgspec.json.decode(raw, type=Accepted)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("the accepted state is damaged: %s", error)
            return fresh
        return accepted if accepted.computer == fresh.computer else fresh

    def _open(self) -> DesiredState | None:
        if self._accepted.signed is None:
            return None
        try:
            return verify.open_state(self._accepted.signed, self._trust, accepted=None)
        except ProtocolError as error:
            log.warning("the accepted state does not verify: %s", error)
            self._accepted = Accepted(computer=self._trust.computer)
            return None

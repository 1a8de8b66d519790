"""Sessions of the seats, as systemd-logind sees them; without anybody's name.

Source: org.freedesktop.login1(5).
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from client_agent.host.bus import Bus, BusSignal
from client_agent.host.errors import FeatureAbsent

SERVICE = "org.freedesktop.login1"
_PATH = "/org/freedesktop/login1"
_MANAGER = "org.freedesktop.login1.Manager"
_SESSION = "org.freedesktop.login1.Session"

_Listed = tuple[str, int, str, str, str]
"""Session, number of the user, name of the user, seat (or empty), object path."""


class _Properties(msgspec.Struct, frozen=True, rename="pascal"):
    session_class: str = msgspec.field(name="Class")
    type: str
    state: str
    remote: bool = False


@dataclass(frozen=True)
class Session:
    """`session_class` is ``user``, ``greeter``, ...; `type` is ``wayland``, ``x11``,
    ``tty``, ...; `state` is ``online``, ``active`` or ``closing``; `seat` is empty for
    one without a seat."""

    id: str
    uid: int
    seat: str
    session_class: str
    type: str
    state: str
    is_remote: bool

    @property
    def is_of_citizen(self) -> bool:
        """Whether a person sits at the computer in this session."""
        return (
            self.session_class == "user"
            and bool(self.seat)
            and self.state != "closing"
            and not self.is_remote
        )


class Login1:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def sessions(self) -> list[Session]:
        """All sessions; one that ends meanwhile is left out."""
        (listed,) = self._bus.call(
            SERVICE, _PATH, _MANAGER, "ListSessions", answer=tuple[list[_Listed]]
        )
        found = [self._session(entry) for entry in listed]
        return [session for session in found if session is not None]

    def is_citizen_session_active(self) -> bool:
        """Whether any session of class user is on a seat."""
        return any(session.is_of_citizen for session in self.sessions())

    def on_session_new(self, deliver: Callable[[BusSignal], None]) -> None:
        """Subscribe to SessionNew (session, object path); see `Bus.subscribe`."""
        self._bus.subscribe(SERVICE, _MANAGER, "SessionNew", deliver, path=_PATH)

    def on_session_removed(self, deliver: Callable[[BusSignal], None]) -> None:
        """Subscribe to SessionRemoved (session, object path); see `Bus.subscribe`."""
        self._bus.subscribe(SERVICE, _MANAGER, "SessionRemoved", deliver, path=_PATH)

    def _session(self, listed: _Listed) -> Session | None:
        session, uid, _user_name, seat, path = listed
        try:
            properties = self._bus.get_properties(
                SERVICE, path, _SESSION, answer=_Properties
            )
        except FeatureAbsent:  # its object is gone
            return None
        return Session(
            id=session,
            uid=uid,
            seat=seat,
            session_class=properties.session_class,
            type=properties.type,
            state=properties.state,
            is_remote=properties.remote,
        )

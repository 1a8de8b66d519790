"""Which computer sends this request? The slow path, with the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from admin_site.agent_api import tokens
from admin_site.agent_api.entries import entry_of_computer
from admin_site.computers import agent_cache
from admin_site.computers.agent_cache import AgentEntry
from admin_site.computers.keys import organisation_of_computer
from admin_site.computers.states import ComputerStatus
from admin_site.core.tenancy import scoped
from client_agent.protocol.auth import Claims
from client_agent.protocol.errors import ErrorCode, ProtocolError

_WORTHLESS = frozenset({ComputerStatus.REVOKED, ComputerStatus.RETIRED})


@dataclass(frozen=True)
class AgentIdentity:
    """A computer whose link key signed this request."""

    uid: UUID
    entry: AgentEntry


class ComputerRevoked(ProtocolError):
    """Verified, by a key that is worthless."""

    def __init__(self, identity: AgentIdentity) -> None:
        super().__init__(ErrorCode.COMPUTER_REVOKED)
        self.identity = identity


def authenticate(request: HttpRequest, *, now: datetime) -> AgentIdentity:
    """The computer behind `request`, after its token has been verified.

    Raises:
        ProtocolError: codes of `tokens.claimed` and `tokens.verify`.
        ComputerRevoked: it was this computer until it was revoked.
    """
    bound = tokens.BoundRequest(
        method=request.method or "",
        target=request.get_full_path(),
        body=request.body,
        audiences=settings.ORIGINS,
        now=now,
    )
    return authenticate_token(request.headers.get("Authorization", ""), bound)


def authenticate_token(authorization: str, bound: tokens.BoundRequest) -> AgentIdentity:
    """As `authenticate`, for what is not a Django request."""
    token, claims = tokens.claimed(authorization)
    entry = _entry(claims)
    tokens.verify(token, claims, entry.link_key, bound)
    identity = AgentIdentity(uid=claims.iss, entry=entry)
    if entry.status in _WORTHLESS:
        raise ComputerRevoked(identity)
    return identity


def _entry(claims: Claims) -> AgentEntry:
    """Read from the database, not from the cache: this is what refills the cache."""
    organisation = organisation_of_computer(claims.iss)
    if organisation is None:
        raise ProtocolError(ErrorCode.NOT_ENROLLED, "no such computer")
    with scoped([organisation]):
        entry = entry_of_computer(claims.iss)
    if entry is None:
        raise ProtocolError(ErrorCode.NOT_ENROLLED, "no such computer")
    agent_cache.remember(claims.iss, entry)
    return entry

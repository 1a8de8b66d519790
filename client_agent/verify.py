"""Which documents of the portal this computer believes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import JobDocument
from client_agent.protocol.orders import OrderDocument
from client_agent.protocol.signed import Kind, Signed, open_document
from client_agent.protocol.state import DesiredState, Revocation
from client_agent.protocol.types import Uid

_SKEW = timedelta(seconds=limits.CLOCK_SKEW_SECONDS)


@dataclass(frozen=True)
class Trust:
    """Who this computer is and whose signature it obeys: the pinned key."""

    computer: Uid
    signing_key: bytes


def open_state(
    signed: Signed, trust: Trust, *, accepted: Signed | None
) -> DesiredState:
    """Return a desired state that may replace `accepted`, the last one believed.

    The same document again is fine. `accepted` must have been verified before; one of
    another computer does not count.

    Raises:
        ProtocolError: ``state-revision-old`` for an older revision or other content
            under the same one; and those of `open_document`, ``audience-wrong``.
    """
    state = open_document(
        signed, Kind.STATE, DesiredState, public_key=trust.signing_key
    )
    _check_audience(state.computer, trust)
    if accepted is None or accepted.payload == signed.payload:
        return state
    try:
        last = open_state(accepted, trust, accepted=None)
    except ProtocolError:  # of an earlier enrolment
        return state
    if state.revision <= last.revision:
        raise ProtocolError(
            ErrorCode.STATE_REVISION_OLD, f"{state.revision} after {last.revision}"
        )
    return state


def open_job(signed: Signed, trust: Trust, *, now: datetime) -> JobDocument:
    """Return a job for this computer whose time it is.

    Raises:
        ProtocolError: ``document-not-yet-valid``, ``document-expired``,
            ``audience-wrong`` and those of `open_document`.
    """
    job = open_job_of_any_time(signed, trust)
    if now + _SKEW < job.not_before:
        raise ProtocolError(ErrorCode.DOCUMENT_NOT_YET_VALID, str(job.not_before))
    _check_not_after(job.not_after, now)
    return job


def open_job_of_any_time(signed: Signed, trust: Trust) -> JobDocument:
    """As `open_job` for one that was begun already."""
    job = open_document(signed, Kind.JOB, JobDocument, public_key=trust.signing_key)
    _check_audience(job.computer, trust)
    return job


def open_order(signed: Signed, trust: Trust) -> OrderDocument:
    """Return an order for this computer; its sequence and time are not checked.

    Raises:
        ProtocolError: ``audience-wrong`` and those of `open_document`.
    """
    order = open_document(
        signed, Kind.ORDER, OrderDocument, public_key=trust.signing_key
    )
    _check_audience(order.computer, trust)
    return order


def check_order(order: OrderDocument, *, last_seq: int, now: datetime) -> None:
    """Refuse one that was seen or whose time has passed.

    Raises:
        ProtocolError: ``document-replayed``, ``document-expired``.
    """
    if order.seq <= last_seq:
        raise ProtocolError(ErrorCode.DOCUMENT_REPLAYED, str(order.seq))
    _check_not_after(order.not_after, now)


def open_revocation(signed: Signed, trust: Trust) -> Revocation:
    """Return the organisation's word that it no longer manages this computer.

    Raises:
        ProtocolError: ``audience-wrong`` and those of `open_document`.
    """
    revocation = open_document(
        signed, Kind.REVOCATION, Revocation, public_key=trust.signing_key
    )
    _check_audience(revocation.computer, trust)
    return revocation


def _check_audience(computer: Uid, trust: Trust) -> None:
    if computer != trust.computer:
        raise ProtocolError(ErrorCode.AUDIENCE_WRONG, str(computer))


def _check_not_after(not_after: datetime, now: datetime) -> None:
    if now > not_after + _SKEW:
        raise ProtocolError(ErrorCode.DOCUMENT_EXPIRED, str(not_after))

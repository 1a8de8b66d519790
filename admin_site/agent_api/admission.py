"""How often computers may ask to be enrolled, counted before the database is asked.

A computer whose enrolment is known waits by asking again (ADR 19). It is counted by
itself, so that neither a full room nor a stranger's guesses behind the same address
keep it waiting; all others share what their address may.
"""

from django.conf import settings

from admin_site.core import limits
from admin_site.core.limits import Window
from client_agent.protocol.enrolment import EnrolmentClaim
from client_agent.protocol.errors import ErrorCode, ProtocolError

KNOWN_SECONDS = 24 * 3600
"""Whoever is silent for longer counts once as new."""


def admit(address: str, claim: EnrolmentClaim) -> None:
    """Count a request whose proof is good.

    Raises:
        LimitReached: too many requests, or wrong tokens, from there.
        RedisError: they cannot be counted now.
    """
    if limits.client().exists(_known_key(claim)):
        limits.take(Window(settings.ENROLMENT_WAIT_LIMIT, _name_of(claim)))
    else:
        admit_stranger(address)


def admit_stranger(address: str) -> None:
    """Count a request of nobody that we know; errors as in `admit`."""
    limits.check(Window(settings.WRONG_TOKEN_LIMIT, address))
    limits.take(Window(settings.ENROLMENT_LIMIT, address))


def note_refusal(address: str, error: ProtocolError) -> None:
    """Count a token that may have been a guess; errors as in `admit`.

    One that is used up or too old was not guessed: a whole room may bring it.
    """
    if error.code is ErrorCode.ENROLMENT_TOKEN_UNKNOWN:
        limits.take(Window(settings.WRONG_TOKEN_LIMIT, address))


def remember(claim: EnrolmentClaim) -> None:
    """Know this computer when it asks again with the same token."""
    limits.client().set(_known_key(claim), 1, ex=KNOWN_SECONDS)


def _known_key(claim: EnrolmentClaim) -> str:
    return f"enrolment-known:{limits.fingerprint(_name_of(claim))}"


def _name_of(claim: EnrolmentClaim) -> str:
    return f"{claim.token_secret}:{claim.device_key.hex()}"

"""Names and dates in the certificate of who answers."""

from cryptography import x509
from cryptography.x509.oid import NameOID

from client_agent.network_layers import Certificate

_NAME = 140


def certificate_of(der: bytes | None) -> Certificate | None:
    """What a certificate says, trusted or not; None if it cannot be read."""
    if not der:
        return None
    try:
        read = x509.load_der_x509_certificate(der)
        return Certificate(
            issuer=_named(read.issuer),
            subject=_named(read.subject),
            valid_from=read.not_valid_before_utc,
            valid_until=read.not_valid_after_utc,
        )
    except (ValueError, x509.InvalidVersion):
        return None


def _named(name: x509.Name) -> str:
    """Organisation and common name, as far as there are any."""
    parts = [
        str(attribute.value)[:_NAME]
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for attribute in name.get_attributes_for_oid(oid)[:1]
    ]
    return ", ".join(parts)

"""What the probe of the way to the portal writes for the root half."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

OBSERVATIONS_BYTES = 32 * 1024
"""Most that root reads of all lines together."""

_Text = Annotated[str, Meta(max_length=300)]
_TEN_THOUSAND_YEARS = 316_000_000_000


class Layer(str, Enum):
    """From below to above; each needs the one before it."""

    NAME = "name"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "tls"
    ANSWER = "answer"


class Certificate(msgspec.Struct, frozen=True):
    """Names as the certificate has them; whether it is trusted is another matter."""

    issuer: _Text
    subject: _Text
    valid_from: datetime
    valid_until: datetime


class Observation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one layer is; `code` is empty if it is well.

    `clock_offset_seconds` is the clock of what answered minus ours; nobody vouches for
    it unless the layer is well.
    """

    layer: Layer
    code: Annotated[str, Meta(max_length=60, pattern="^[a-z-]*$")] = ""
    detail: _Text = ""
    certificate: Certificate | None = None
    clock_offset_seconds: (
        Annotated[int, Meta(ge=-_TEN_THOUSAND_YEARS, le=_TEN_THOUSAND_YEARS)] | None
    ) = None

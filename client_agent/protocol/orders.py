"""Orders: short commands to one computer, in sequence."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.protocol.signed import Signed
from client_agent.protocol.types import Count, Json, Moment, ShortText, Slug, Uid


class OrderKind(str, enum.Enum):
    CANCEL_JOB = "cancel_job"


class OrderDocument(msgspec.Struct, frozen=True):
    """Signed: `seq` grows by computer; one that was seen is never obeyed again.

    ``cancel_job`` has the argument ``job``: the job's id.
    """

    computer: Uid
    seq: Count
    kind: OrderKind
    arguments: dict[Slug, Json]
    not_after: Moment
    by: ShortText = ""
    protocol_version: int = 1


class OrdersAnswer(msgspec.Struct, frozen=True):
    """``GET /agent/v1/orders?after=N``: those above N, ascending."""

    orders: Annotated[list[Signed], Meta(max_length=100)]

"""Jobs: how one is ordered, leased, followed and ended."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.protocol import limits
from client_agent.protocol.sealing import Sealed
from client_agent.protocol.signed import Signed
from client_agent.protocol.types import (
    Count,
    Json,
    Moment,
    Name,
    PositiveSeconds,
    Sha256,
    ShortText,
    Slug,
    Uid,
)


class Risk(str, enum.Enum):
    """What a script may do; only ``reads`` runs beside another job."""

    READS = "reads"
    CHANGES = "changes"
    RESTARTS = "restarts"
    DESTROYS = "destroys"


class RunAs(str, enum.Enum):
    ROOT = "root"
    CITIZEN = "citizen"


class EndReason(str, enum.Enum):
    EXIT = "exit"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    LOST = "lost"


class ScriptReference(msgspec.Struct, frozen=True):
    """The immutable version of a script that a job runs; `sha256` is its file."""

    slug: Slug
    version: ShortText
    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=0, le=limits.BLOB_BYTES)]
    risk: Risk
    run_as: RunAs = RunAs.ROOT
    is_idempotent: bool = False
    continues_after_restart: bool = False


class JobDocument(msgspec.Struct, frozen=True):
    """Signed: run `script` on `computer` between `not_before` and `not_after`.

    `arguments` goes to the script as JSON on standard input. Each value of `secrets`
    is sealed with place ``job:<id>:<parameter>``.
    """

    id: Uid
    computer: Uid
    script: ScriptReference
    arguments: dict[Slug, Json]
    not_before: Moment
    not_after: Moment
    limit_seconds: PositiveSeconds = 3600
    limit_memory_bytes: Count = 1024 * 1024 * 1024
    secrets: dict[Slug, Sealed] = {}
    protocol_version: int = 1


class LeaseRequest(msgspec.Struct, frozen=True):
    """``POST /agent/v1/jobs/lease``: idempotent by `request_id`."""

    request_id: Uid
    limit: Annotated[int, Meta(ge=1, le=limits.LEASED_JOBS)] = 4
    occupied: bool = False


class Lease(msgspec.Struct, frozen=True):
    """A job handed out until `lease_seconds` have passed without a sign of life."""

    lease_id: Uid
    lease_seconds: PositiveSeconds
    job: Signed


class LeaseAnswer(msgspec.Struct, frozen=True):
    leases: Annotated[list[Lease], Meta(max_length=limits.LEASED_JOBS)]


class OutputRequest(msgspec.Struct, frozen=True):
    """``POST /agent/v1/jobs/{id}/output``: append `data` at byte `offset`.

    Also the sign of life: empty data says "started" the first time and "still
    running" afterwards, and prolongs the lease. A repeated offset is ignored.
    """

    lease_id: Uid
    offset: Annotated[int, Meta(ge=0, le=limits.OUTPUT_STORED_BYTES)]
    data: Annotated[bytes, Meta(max_length=limits.OUTPUT_CHUNK_BYTES)]


class OutputAnswer(msgspec.Struct, frozen=True):
    """`next_offset` is what the portal has stored so far."""

    next_offset: Count
    lease_seconds: PositiveSeconds


class ResultRequest(msgspec.Struct, frozen=True):
    """``POST /agent/v1/jobs/{id}/result``: idempotent by `lease_id`.

    `exit_status` is present with reason ``exit`` only, `code` says why with
    ``refused`` and ``lost``. `fields` is the object that the script printed as its
    last line, if it did. `output_bytes` is the stored length, after the cut.
    """

    lease_id: Uid
    reason: EndReason
    finished_at: Moment
    started_at: Moment | None = None
    exit_status: Annotated[int, Meta(ge=-255, le=255)] | None = None
    code: ShortText = ""
    fields: dict[Name, Json] = {}
    output_bytes: Count = 0

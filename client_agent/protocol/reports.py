"""What happened on a computer, told once and acknowledged."""

import enum
from typing import Annotated, Union

import msgspec
from msgspec import Meta

from client_agent.protocol import limits
from client_agent.protocol.types import (
    Code,
    Count,
    Json,
    Moment,
    Revision,
    Slug,
    Text,
    Uid,
)


class Compliance(str, enum.Enum):
    COMPLIANT = "compliant"
    PENDING = "pending"
    MENDED = "mended"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    REMOVED = "removed"


class ComplianceRecord(msgspec.Struct, frozen=True, tag="compliance"):
    """How one setting stands after a reconcile. `code` and `detail` say why."""

    seq: Count
    at: Moment
    setting: Slug
    status: Compliance
    revision: Revision
    code: str = ""
    detail: Text = ""


class EventRecord(msgspec.Struct, frozen=True, tag="event"):
    """Something worth knowing: a refused document, a start, a lost job."""

    seq: Count
    at: Moment
    code: Code
    arguments: dict[Slug, Json] = {}


class OrderRecord(msgspec.Struct, frozen=True, tag="order"):
    """An order was carried out (empty `code`) or refused (why)."""

    seq: Count
    at: Moment
    order: Count
    code: str = ""


Record = Union[ComplianceRecord, EventRecord, OrderRecord]  # noqa: UP007 - 3.10


class ReportRequest(msgspec.Struct, frozen=True):
    """``POST /agent/v1/reports``: records of one spool, ascending without gaps.

    `stream` is made with the spool, so that a lost spool begins a new count.
    """

    stream: Uid
    records: Annotated[list[Record], Meta(max_length=limits.REPORT_RECORDS)]


class ReportAnswer(msgspec.Struct, frozen=True):
    """Everything up to and including `acknowledged` may be deleted."""

    acknowledged: Count

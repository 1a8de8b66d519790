"""The endpoints of 03: each takes a message, calls one service, answers a message."""

from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from admin_site.agent_api import admission, intake
from admin_site.agent_api.endpoints import agent_endpoint, message, public_endpoint
from admin_site.computers import enrolment as enrolments
from admin_site.computers import signing
from admin_site.computers.models import Computer, Enrolment, Order
from admin_site.core import clock
from admin_site.core.addresses import address_of
from admin_site.core.blobs import path_of_blob
from admin_site.core.tenancy import scoped
from admin_site.desired_state.models import CompiledState
from admin_site.jobs import progress
from admin_site.jobs.models import Job
from admin_site.jobs.states import ENDED
from client_agent.protocol import codec, keys, limits
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentAnswer,
    EnrolmentClaim,
    EnrolmentRequest,
)
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.facts import FactsRequest
from client_agent.protocol.jobs import (
    Lease,
    LeaseAnswer,
    LeaseRequest,
    OutputAnswer,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.orders import OrdersAnswer
from client_agent.protocol.reports import ReportAnswer, ReportRequest
from client_agent.protocol.sealing import seal

RETRY_UNSIGNED_SECONDS = 1
RETRY_PENDING_SECONDS = 5
ORDERS_AT_ONCE = 100


class _AnyOutput(msgspec.Struct, frozen=True):
    """Output of any length, to tell what is too long from what is no message."""

    data: bytes = b""


@public_endpoint("POST")
def enrol(request: HttpRequest) -> HttpResponse:
    """Take in an enrolment, or say how an earlier one stands."""
    address = address_of(request)
    try:
        claim = _proven_claim(request.body)
    except ProtocolError:
        admission.admit_stranger(address)
        raise
    admission.admit(address, claim)
    try:
        answer = _enrolled(claim)
    except ProtocolError as error:
        admission.note_refusal(address, error)
        raise
    admission.remember(claim)
    return message(answer)


@agent_endpoint("GET")
def state(request: HttpRequest, computer: Computer) -> HttpResponse:
    """The signed desired state, or 304; the fast path has passed this one on."""
    compiled = (
        CompiledState.objects.for_organisation(computer.organisation_id)
        .filter(computer=computer)
        .first()
    )
    if compiled is None:
        raise ProtocolError(ErrorCode.NOT_FOUND, "no state yet")
    etag = f'"{compiled.etag}"'
    intake.note_contact(computer=computer, now=clock.now())
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    response = HttpResponse(bytes(compiled.signed), content_type="application/json")
    response.headers["ETag"] = etag
    return response


@agent_endpoint("POST")
def lease(request: HttpRequest, computer: Computer) -> HttpResponse:
    """Hand out jobs."""
    asked = codec.decode(LeaseRequest, request.body)
    jobs = progress.lease_jobs(computer=computer, request=asked, now=clock.now())
    seconds = int(progress.LEASE.total_seconds())
    return message(
        LeaseAnswer(
            leases=[
                Lease(
                    lease_id=job.lease_id,
                    lease_seconds=seconds,
                    job=signing.stored_document(job.signed),
                )
                for job in jobs
                if job.lease_id and job.signed
            ]
        )
    )


@agent_endpoint("POST", limit=2 * limits.OUTPUT_CHUNK_BYTES)
def output(request: HttpRequest, computer: Computer, job_id: UUID) -> HttpResponse:
    """Append output: at most 64 KiB, which base64 and the frame make longer."""
    asked = _output_request(request.body)
    stored = progress.take_output(
        computer=computer, job_id=job_id, request=asked, now=clock.now()
    )
    seconds = int(progress.RUNNING_LEASE.total_seconds())
    return message(OutputAnswer(next_offset=stored, lease_seconds=seconds))


@agent_endpoint("POST")
def result(request: HttpRequest, computer: Computer, job_id: UUID) -> HttpResponse:
    """Write how a job ended."""
    asked = codec.decode(ResultRequest, request.body)
    progress.take_result(
        computer=computer, job_id=job_id, request=asked, now=clock.now()
    )
    return HttpResponse(status=204)


@agent_endpoint("GET")
def orders(request: HttpRequest, computer: Computer) -> HttpResponse:
    """Signed orders above ``after``, in sequence."""
    after = request.GET.get("after", "0")
    if not after.isascii() or not after.isdigit() or len(after) > 16:
        raise ProtocolError(ErrorCode.BODY_INVALID, "after is not a number")
    found = Order.objects.for_organisation(computer.organisation_id).filter(
        computer=computer,
        seq__gt=int(after),
        signed__isnull=False,
        not_after__gt=clock.now(),
    )
    return message(
        OrdersAnswer(
            orders=[
                signing.stored_document(order.signed)
                for order in found.order_by("seq")[:ORDERS_AT_ONCE]
                if order.signed
            ]
        )
    )


@agent_endpoint("GET")
def blob(request: HttpRequest, computer: Computer, sha256: str) -> HttpResponse:
    """The executable of a job that this computer has and has not ended."""
    is_needed = (
        Job.objects.for_organisation(computer.organisation_id)
        .filter(computer=computer, run__script_version__sha256=sha256)
        .exclude(status__in=ENDED)
        .exists()
    )
    path = path_of_blob(sha256) if is_needed else None
    if path is None or not path.exists():
        raise ProtocolError(ErrorCode.BLOB_UNKNOWN)
    return HttpResponse(path.read_bytes(), content_type="application/octet-stream")


@agent_endpoint("POST")
def reports(request: HttpRequest, computer: Computer) -> HttpResponse:
    """Take in records of a spool and acknowledge them."""
    asked = codec.decode(ReportRequest, request.body)
    acknowledged = intake.take_reports(
        computer=computer, request=asked, now=clock.now()
    )
    return message(ReportAnswer(acknowledged=acknowledged))


@agent_endpoint("PATCH", limit=limits.FACTS_BYTES)
def facts(request: HttpRequest, computer: Computer) -> HttpResponse:
    """Take in changed facts."""
    asked = codec.decode(FactsRequest, request.body, limit=limits.FACTS_BYTES)
    intake.take_facts(computer=computer, request=asked, now=clock.now())
    return HttpResponse(status=204)


def _output_request(body: bytes) -> OutputRequest:
    try:
        return codec.decode(OutputRequest, body)
    except ProtocolError:
        if len(codec.decode(_AnyOutput, body).data) > limits.OUTPUT_CHUNK_BYTES:
            raise ProtocolError(
                ErrorCode.BODY_TOO_LARGE,
                f"more than {limits.OUTPUT_CHUNK_BYTES} bytes of output",
            ) from None
        raise


def _proven_claim(body: bytes) -> EnrolmentClaim:
    asked = codec.decode(EnrolmentRequest, body)
    claim = codec.decode(EnrolmentClaim, asked.claim)
    if not keys.is_signed(claim.device_key, PROOF_PURPOSE, asked.claim, asked.proof):
        raise ProtocolError(ErrorCode.ENROLMENT_PROOF_INVALID)
    if not _can_seal_to(claim.seal_key):
        raise ProtocolError(ErrorCode.BODY_INVALID, "nothing can be sealed to seal_key")
    return claim


def _enrolled(claim: EnrolmentClaim) -> EnrolmentAnswer:
    organisation_id = enrolments.organisation_of_token(claim.token_secret)
    if organisation_id is None:
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_UNKNOWN)
    with scoped([organisation_id]):
        enrolment = enrolments.request_enrolment(
            organisation_id=organisation_id, claim=claim, now=clock.now()
        )
        return _enrolment_answer(enrolment)


def _can_seal_to(key: bytes) -> bool:
    """Whether `key` has the entropy of one; else each run with secrets would fail."""
    try:
        seal(b"", to=key, computer=UUID(int=0), place="")
    except ValueError:
        return False
    return True


def _enrolment_answer(found: Enrolment) -> EnrolmentAnswer:
    key = signing.current_signing_key(found.organisation_id)
    if key is None:
        raise ProtocolError(ErrorCode.TEMPORARILY_UNAVAILABLE)
    signed = found.signed_decision
    return EnrolmentAnswer(
        enrolment_id=found.pk,
        signing_key=bytes(key.public_key),
        retry_seconds=RETRY_PENDING_SECONDS if signed else RETRY_UNSIGNED_SECONDS,
        decision=signing.stored_document(signed) if signed else None,
    )

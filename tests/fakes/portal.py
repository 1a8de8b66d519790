"""A small portal on 127.0.0.1 that speaks the agent's protocol with real keys.

Real sockets, real signatures, nothing stored. Tests hold, lose or replace its answers
to bring an agent into every situation, and wait on its condition instead of sleeping.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.protocol import WORK_HEADER, codec, keys
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentAnswer,
    EnrolmentClaim,
    EnrolmentDecision,
    EnrolmentRequest,
    EnrolmentStatus,
)
from client_agent.protocol.errors import ErrorCode, Problem
from client_agent.protocol.facts import FactsRequest, facts_after, facts_digest
from client_agent.protocol.jobs import (
    JobDocument,
    Lease,
    LeaseAnswer,
    LeaseRequest,
    OutputAnswer,
    OutputRequest,
    ResultRequest,
    Risk,
    ScriptReference,
)
from client_agent.protocol.orders import OrderDocument, OrderKind, OrdersAnswer
from client_agent.protocol.reports import ReportAnswer, ReportRequest
from client_agent.protocol.signed import Kind, Signed, sign_document
from client_agent.protocol.socket import Hint
from client_agent.protocol.state import DesiredState, Revocation
from tests.fakes.portal_http import Answer, Handler, Refusal, WebSocket, token_claims

TOKEN_SECRET = "aSecretOfStaff"
PATIENCE_SECONDS = 20.0


@dataclass
class PortalJob:
    """A job as the portal sees it."""

    document: JobDocument
    signed: Signed
    lease_id: UUID | None = None
    output: bytearray = field(default_factory=bytearray)
    first_output_at: float | None = None
    signs_of_life: int = 0
    results: list[ResultRequest] = field(default_factory=list)

    @property
    def result(self) -> ResultRequest | None:
        return self.results[-1] if self.results else None


@dataclass
class Fault:
    """What happens to requests whose ``METHOD path`` matches, `times` times."""

    pattern: re.Pattern[str]
    times: int
    instead: Answer | None = None
    is_lost: bool = False
    gate: threading.Event | None = None
    seen: threading.Event = field(default_factory=threading.Event)


class FakePortal:
    """One organisation with one computer. All waiting is on `changed`."""

    def __init__(self) -> None:
        self.signing_key = Ed25519PrivateKey.generate()
        self.public_key = keys.raw_public(self.signing_key.public_key())
        self.changed = threading.Condition(threading.RLock())
        self.requests: list[str] = []
        self.computer = uuid4()
        self.organisation = uuid4()
        self.enrolment_id = uuid4()
        self.status = EnrolmentStatus.PENDING
        self.is_decision_ready = True
        self.claim: EnrolmentClaim | None = None
        self.decision_key: Ed25519PrivateKey = self.signing_key
        self.announced_key = self.public_key
        self.clock_offset = timedelta()
        self.state: Signed | None = None
        self.revocation: Signed | None = None
        self.jobs: dict[UUID, PortalJob] = {}
        self.leases: dict[UUID, bytes] = {}
        self.lease_seconds = 60
        self.orders: list[Signed] = []
        self.streams: dict[UUID, list[Any]] = {}
        self.facts: dict[str, Any] = {}
        self.facts_requests: list[FactsRequest] = []
        self.blobs: dict[str, bytes] = {}
        self.sockets: list[WebSocket] = []
        self.has_sockets = True
        self.faults: list[Fault] = []
        self._revision = 1
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    # running

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def token(self) -> str:
        return f"{TOKEN_SECRET}.{keys.fingerprint(self.public_key)}"

    def __enter__(self) -> "FakePortal":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for fault in self.faults:
            if fault.gate is not None:
                fault.gate.set()
        for socket in list(self.sockets):
            socket.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.clock_offset

    def wait_for(
        self, predicate: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS
    ) -> Any:
        """Whatever true thing `predicate` returns; an error if it never does."""
        ends_at = time.monotonic() + seconds
        with self.changed:
            while not (result := predicate()):
                remaining = ends_at - time.monotonic()
                if remaining <= 0 or not self.changed.wait(remaining):
                    raise AssertionError(f"never came; asked: {self.requests[-15:]}")
            return result

    # faults

    def hold(self, pattern: str, *, times: int = 1) -> Fault:
        """Keep answers back until ``release``; ``seen`` tells that one is held."""
        return self._fault(Fault(re.compile(pattern), times, gate=threading.Event()))

    def lose(self, pattern: str, *, times: int = 1) -> Fault:
        """Do what is asked and close the connection without an answer."""
        return self._fault(Fault(re.compile(pattern), times, is_lost=True))

    def replace(self, pattern: str, answer: Answer, *, times: int = 1) -> Fault:
        return self._fault(Fault(re.compile(pattern), times, instead=answer))

    def _fault(self, fault: Fault) -> Fault:
        with self.changed:
            self.faults.append(fault)
        return fault

    def release(self, fault: Fault) -> None:
        assert fault.gate is not None
        with self.changed:
            fault.times = 0
        fault.gate.set()

    # what staff do

    def approve(self) -> None:
        with self.changed:
            self.status = EnrolmentStatus.APPROVED

    def revoke(self) -> None:
        revocation = Revocation(computer=self.computer, revoked_at=self.now())
        with self.changed:
            self.revocation = self._signed(Kind.REVOCATION, revocation)
        self.nudge(Hint.CLOSE)

    def want(self, settings: dict[str, Any], **changes: Any) -> DesiredState:
        """Compile and sign a state with the next revision."""
        with self.changed:
            self._revision += 1
            fields: dict[str, Any] = {
                "computer": self.computer,
                "revision": self._revision,
                "compiled_at": self.now(),
                "settings": settings,
                **changes,
            }
            state = DesiredState(**fields)
            self.state = self._signed(Kind.STATE, state)
        self.nudge(Hint.STATE)
        return state

    def run(self, script: bytes, **changes: Any) -> PortalJob:
        """Queue a job that runs `script`. `changes` go to script or document."""
        sha256 = hashlib.sha256(script).hexdigest()
        in_script = {
            name: changes.pop(name)
            for name in ("risk", "is_idempotent", "continues_after_restart", "run_as")
            if name in changes
        }
        reference = ScriptReference(
            slug="test",
            version="1.0.0",
            sha256=sha256,
            size_bytes=len(script),
            **{"risk": Risk.CHANGES, **in_script},
        )
        fields: dict[str, Any] = {
            "id": uuid4(),
            "computer": self.computer,
            "script": reference,
            "arguments": {},
            "not_before": self.now() - timedelta(seconds=1),
            "not_after": self.now() + timedelta(hours=1),
            "limit_seconds": 60,
            **changes,
        }
        document = JobDocument(**fields)
        job = PortalJob(document, self._signed(Kind.JOB, document))
        with self.changed:
            self.blobs[sha256] = script
            self.jobs[document.id] = job
        self.nudge(Hint.JOBS)
        return job

    def cancel(self, job: PortalJob) -> None:
        with self.changed:
            order = OrderDocument(
                computer=self.computer,
                seq=len(self.orders) + 1,
                kind=OrderKind.CANCEL_JOB,
                arguments={"job": str(job.document.id)},
                not_after=self.now() + timedelta(hours=1),
            )
            self.orders.append(self._signed(Kind.ORDER, order))
        self.nudge(Hint.ORDERS)

    def requeue(self, job: PortalJob) -> UUID:
        """Let the job's lease run out; the one before."""
        with self.changed:
            assert job.lease_id is not None
            lost, job.lease_id = job.lease_id, None
        self.nudge(Hint.JOBS)
        return lost

    def nudge(self, hint: Hint) -> None:
        with self.changed:
            for socket in self.sockets:
                socket.send_text(json.dumps({"nudge": hint.value}).encode())

    def result_of(self, job: PortalJob, *, seconds: float = PATIENCE_SECONDS) -> Any:
        return self.wait_for(lambda: job.result, seconds=seconds)

    def events(self, code: str) -> list[Any]:
        """Events of that code that were reported."""
        with self.changed:
            records = [r for stream in self.streams.values() for r in stream]
        return [r for r in records if getattr(r, "code", "") == code]

    def count(self, pattern: str) -> int:
        """How many requests matched."""
        with self.changed:
            return sum(bool(re.search(pattern, line)) for line in self.requests)

    def _signed(self, kind: Kind, document: object) -> Signed:
        return sign_document(kind, document, self.signing_key)

    # answering

    def _handler(self) -> type[Handler]:
        portal = self

        class BoundHandler(Handler):
            def answer(self, method: str, target: str, body: bytes) -> Answer | None:
                return portal._answer(self, method, target, body)

        return BoundHandler

    def _answer(
        self, handler: Handler, method: str, target: str, body: bytes
    ) -> Answer | None:
        line = f"{method} {target.removeprefix('/agent/v1')}"
        with self._noted(line), self.changed:
            fault = next(
                (f for f in self.faults if f.times > 0 and f.pattern.search(line)), None
            )
            if fault is not None:
                fault.times -= 1
        if fault is not None and fault.gate is not None:
            fault.seen.set()
            fault.gate.wait(60)
        if fault is not None and fault.instead is not None:
            fault.seen.set()
            return fault.instead
        answer = self._answered(handler, method, target, body)
        if fault is not None and fault.is_lost:
            fault.seen.set()
            return None
        return answer

    @contextmanager
    def _noted(self, line: str) -> Iterator[None]:
        with self.changed:
            self.requests.append(line)
            self.changed.notify_all()
        yield

    def _answered(
        self, handler: Handler, method: str, target: str, body: bytes
    ) -> Answer:
        path = target.removeprefix("/agent/v1")
        try:
            with self.changed:
                if not path.startswith("/enrolments"):
                    self._authenticate(handler, method, target, body)
                if path == "/socket":
                    return self._open_socket(handler)
                answer = self._route(method, path, body, handler)
                self.changed.notify_all()
                return answer
        except Refusal as refusal:
            return refusal.answer

    def _authenticate(
        self, handler: Handler, method: str, target: str, body: bytes
    ) -> None:
        if self.claim is None:
            raise Refusal(401, Problem(code=ErrorCode.NOT_ENROLLED.value))
        claims = token_claims(handler.headers["Authorization"], self.claim.link_key)
        if claims is None or claims["iss"] != str(self.computer):
            raise Refusal(401, Problem(code=ErrorCode.NOT_ENROLLED.value))
        digest = keys.b64url(hashlib.sha256(body).digest())
        bound = (claims["htm"], claims["htu"], claims["bdy"], claims["aud"])
        if bound != (method, target, digest, self.origin):
            raise Refusal(401, Problem(code=ErrorCode.TOKEN_INVALID.value))
        if abs(claims["iat"] - self.now().timestamp()) > 60:
            code = ErrorCode.CLOCK_WRONG.value
            raise Refusal(401, Problem(code=code, server_time=self.now()))
        if self.revocation is not None:
            code = ErrorCode.COMPUTER_REVOKED.value
            signed = codec.encode(self.revocation)
            raise Refusal(403, Problem(code=code, signed=signed))

    def _route(self, method: str, path: str, body: bytes, handler: Handler) -> Answer:
        routes: list[tuple[str, Callable[..., Answer]]] = [
            (r"POST /enrolments", self._enrol),
            (r"GET /state", lambda _body: self._state(handler)),
            (r"POST /jobs/lease", self._lease),
            (r"POST /jobs/([^/]+)/output", self._output),
            (r"POST /jobs/([^/]+)/result", self._result),
            (r"GET /orders\?after=(\d+)", self._orders),
            (r"POST /reports", self._report),
            (r"PATCH /facts", self._facts),
            (r"GET /blobs/([0-9a-f]{64})", self._blob),
        ]
        for pattern, function in routes:
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return function(body, *match.groups())
        raise Refusal(404, Problem(code=ErrorCode.NOT_FOUND.value))

    def _enrol(self, body: bytes) -> Answer:
        request = codec.decode(EnrolmentRequest, body)
        claim = codec.decode(EnrolmentClaim, request.claim)
        if not keys.is_signed(
            claim.device_key, PROOF_PURPOSE, request.claim, request.proof
        ):
            code = ErrorCode.ENROLMENT_PROOF_INVALID.value
            raise Refusal(403, Problem(code=code))
        if claim.token_secret != TOKEN_SECRET:
            code = ErrorCode.ENROLMENT_TOKEN_UNKNOWN.value
            raise Refusal(403, Problem(code=code))
        self.claim = claim
        decision = EnrolmentDecision(
            enrolment_id=self.enrolment_id,
            computer=self.computer,
            organisation=self.organisation,
            device_key=claim.device_key,
            status=self.status,
            poll_seconds=1,
        )
        signed = sign_document(Kind.ENROLMENT, decision, self.decision_key)
        return Answer.of(
            EnrolmentAnswer(
                enrolment_id=self.enrolment_id,
                signing_key=self.announced_key,
                retry_seconds=1,
                decision=signed if self.is_decision_ready else None,
            )
        )

    def _state(self, handler: Handler) -> Answer:
        if self.state is None:
            raise Refusal(404, Problem(code=ErrorCode.NOT_FOUND.value))
        body = codec.encode(self.state)
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"'}
        if self.orders or not all(job.lease_id for job in self.jobs.values()):
            headers[WORK_HEADER] = "jobs, orders"
        if handler.headers["If-None-Match"] == headers["ETag"]:
            return Answer(304, b"", headers)
        return Answer(200, body, headers)

    def _lease(self, body: bytes) -> Answer:
        request = codec.decode(LeaseRequest, body)
        if request.request_id not in self.leases:
            free = [j for j in self.jobs.values() if not (j.lease_id or j.results)]
            leases = []
            for job in free[: request.limit]:
                job.lease_id = uuid4()
                leases.append(Lease(job.lease_id, self.lease_seconds, job.signed))
            self.leases[request.request_id] = codec.encode(LeaseAnswer(leases))
        return Answer(200, self.leases[request.request_id])

    def _job(self, number: str, lease_id: UUID) -> PortalJob:
        job = self.jobs.get(UUID(number))
        if job is None:
            raise Refusal(404, Problem(code=ErrorCode.JOB_UNKNOWN.value))
        if job.lease_id != lease_id:
            raise Refusal(409, Problem(code=ErrorCode.LEASE_LOST.value))
        return job

    def _output(self, body: bytes, number: str) -> Answer:
        request = codec.decode(OutputRequest, body)
        job = self._job(number, request.lease_id)
        job.signs_of_life += 1
        if request.offset > len(job.output):
            code, offset = ErrorCode.OUTPUT_GAP.value, len(job.output)
            raise Refusal(409, Problem(code=code, offset=offset))
        if request.offset == len(job.output) and request.data:
            job.first_output_at = job.first_output_at or time.monotonic()
            job.output += request.data
        return Answer.of(OutputAnswer(len(job.output), self.lease_seconds))

    def _result(self, body: bytes, number: str) -> Answer:
        request = codec.decode(ResultRequest, body)
        self._job(number, request.lease_id).results.append(request)
        return Answer(200, b"{}")

    def _orders(self, body: bytes, after: str) -> Answer:
        return Answer.of(OrdersAnswer(self.orders[int(after) :]))

    def _report(self, body: bytes) -> Answer:
        request = codec.decode(ReportRequest, body)
        stream = self.streams.setdefault(request.stream, [])
        for record in request.records:
            if record.seq > len(stream) + 1:
                code, offset = ErrorCode.REPORT_GAP.value, len(stream) + 1
                raise Refusal(409, Problem(code=code, offset=offset))
            if record.seq == len(stream) + 1:
                stream.append(record)
        return Answer.of(ReportAnswer(len(stream)))

    def _facts(self, body: bytes) -> Answer:
        request = codec.decode(FactsRequest, body)
        self.facts_requests.append(request)
        after = facts_after(self.facts, request)
        if facts_digest(after) != request.digest:
            raise Refusal(409, Problem(code=ErrorCode.FACTS_DIGEST_WRONG.value))
        self.facts = after
        return Answer(200, b"{}")

    def _blob(self, body: bytes, sha256: str) -> Answer:
        if sha256 not in self.blobs:
            raise Refusal(404, Problem(code=ErrorCode.BLOB_UNKNOWN.value))
        return Answer(200, self.blobs[sha256])

    def _open_socket(self, handler: Handler) -> Answer:
        if not self.has_sockets:
            return Answer(502, b"no upgrade here")
        socket = handler.upgrade()
        self.sockets.append(socket)
        self.changed.notify_all()
        socket.on_close = lambda: self._forget(socket)
        return Answer.upgraded()

    def _forget(self, socket: WebSocket) -> None:
        with self.changed:
            if socket in self.sockets:
                self.sockets.remove(socket)
            self.changed.notify_all()

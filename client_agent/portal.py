"""What the root half asks the portal, through link."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from client_agent.errors import AgentError
from client_agent.link_channel import Answer, LinkChannel, Sink
from client_agent.protocol import API_PREFIX, WORK_HEADER, codec, limits
from client_agent.protocol.enrolment import EnrolmentAnswer, EnrolmentRequest
from client_agent.protocol.errors import ErrorCode, Problem, ProtocolError
from client_agent.protocol.facts import FactsRequest
from client_agent.protocol.jobs import (
    LeaseAnswer,
    LeaseRequest,
    OutputAnswer,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.orders import OrdersAnswer
from client_agent.protocol.reports import ReportAnswer, ReportRequest
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint
from client_agent.protocol.types import Uid

log = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST_RETRY_SECONDS = 3600
_BLOB_SECONDS = 900


class PortalError(AgentError):
    """The portal answered with a refusal, or with something that is no answer."""

    def __init__(
        self, code: str, problem: Problem | None = None, retry_seconds: int = 0
    ) -> None:
        super().__init__(code, problem.detail if problem else "")
        self.problem = problem
        self.retry_seconds = retry_seconds


@dataclass(frozen=True)
class StateAnswer:
    """`signed` is None if nothing has changed; `work` is what to ask for next."""

    signed: Signed | None
    etag: str
    work: frozenset[Hint]


class Portal:
    """The agent's endpoints.

    Each method raises LinkError (no answer) or PortalError (refused). `answered` is
    called after each answer, refusals included; `revoked` with what came as a signed
    revocation, unverified.
    """

    def __init__(
        self,
        channel: LinkChannel,
        *,
        answered: Callable[[], None] = lambda: None,
        revoked: Callable[[bytes], None] = lambda signed: None,
    ) -> None:
        self._channel = channel
        self._answered = answered
        self._revoked = revoked

    async def enrol(self, request: EnrolmentRequest) -> EnrolmentAnswer:
        return _decoded(
            EnrolmentAnswer,
            await self._ask("POST", "/enrolments", request, is_signed=False),
        )

    async def state(self, etag: str) -> StateAnswer:
        """The signed state, unless that of `etag` still holds, and what waits."""
        headers = {"If-None-Match": etag} if etag else {}
        answer = await self._ask("GET", "/state", headers=headers)
        return StateAnswer(
            signed=None if answer.status == 304 else _decoded(Signed, answer),
            etag=answer.headers.get("etag", ""),
            work=_work(answer.headers.get(WORK_HEADER.lower(), "")),
        )

    async def lease(self, request: LeaseRequest) -> LeaseAnswer:
        return _decoded(LeaseAnswer, await self._ask("POST", "/jobs/lease", request))

    async def send_output(self, job: Uid, request: OutputRequest) -> OutputAnswer:
        return _decoded(
            OutputAnswer, await self._ask("POST", f"/jobs/{job}/output", request)
        )

    async def send_result(self, job: Uid, request: ResultRequest) -> None:
        await self._ask("POST", f"/jobs/{job}/result", request)

    async def orders(self, after: int) -> OrdersAnswer:
        return _decoded(OrdersAnswer, await self._ask("GET", f"/orders?after={after}"))

    async def report(self, request: ReportRequest) -> ReportAnswer:
        return _decoded(ReportAnswer, await self._ask("POST", "/reports", request))

    async def send_facts(self, request: FactsRequest) -> None:
        await self._ask("PATCH", "/facts", request)

    async def fetch_blob(self, sha256: str, sink: Sink, *, size_bytes: int) -> None:
        """Pass the blob to `sink`, whose OSError is raised; nothing is checked."""
        await self._ask(
            "GET",
            f"/blobs/{sha256}",
            sink=sink,
            limit=min(size_bytes, limits.BLOB_BYTES),
            timeout_seconds=_BLOB_SECONDS,
        )

    async def _ask(
        self,
        method: str,
        path: str,
        message: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        is_signed: bool = True,
        sink: Sink | None = None,
        limit: int = limits.BODY_BYTES,
        timeout_seconds: int = 30,
    ) -> Answer:
        answer = await self._channel.exchange(
            method,
            API_PREFIX + path,
            body=b"" if message is None else codec.encode(message),
            headers=headers,
            is_signed=is_signed,
            sink=sink,
            limit=max(limit, limits.OUTPUT_CHUNK_BYTES),
            timeout_seconds=timeout_seconds,
        )
        self._answered()
        if not (200 <= answer.status < 300 or answer.status == 304):
            error = _refusal(answer)
            if error.code == ErrorCode.COMPUTER_REVOKED.value and error.problem:
                self._revoked(error.problem.signed or b"")
            raise error
        return answer


def _refusal(answer: Answer) -> PortalError:
    wait = answer.headers.get("retry-after", "")
    seconds = int(wait) if wait.isdecimal() and len(wait) < 10 else 0
    seconds = min(seconds, _LONGEST_RETRY_SECONDS)
    try:
        problem = codec.decode(Problem, answer.body)
    except ProtocolError:  # something between the portal and us answered
        return PortalError(f"http-{answer.status}", retry_seconds=seconds)
    return PortalError(problem.code, problem, seconds)


def _work(header: str) -> frozenset[Hint]:
    """What the header names; what we do not know is left out."""
    named = {name.strip() for name in header.split(",")}
    return frozenset(each for each in (Hint.JOBS, Hint.ORDERS) if each.value in named)


def _decoded(kind: type[T], answer: Answer) -> T:
    try:
        return codec.decode(kind, answer.body, limit=2 * limits.BODY_BYTES)
    except ProtocolError as error:
        log.warning("the portal's answer is not understood: %s", error)
        raise PortalError(ErrorCode.BODY_INVALID.value) from error

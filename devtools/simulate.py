"""Simulated computers: real protocol clients, many in one process.

They enrol, hold a socket or poll, lease jobs and answer them with a few lines. Nothing
is run or changed. For the demonstration and for benchmarks.

    python -m devtools.simulate --portal http://127.0.0.1:8000 --token T --count 20
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client_agent.backoff import Backoff
from client_agent.protocol import API_PREFIX, WORK_HEADER, codec, keys
from client_agent.protocol.auth import make_token
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentAnswer,
    EnrolmentClaim,
    EnrolmentDecision,
    EnrolmentFacts,
    EnrolmentRequest,
    EnrolmentStatus,
    Product,
    parse_token,
)
from client_agent.protocol.facts import FactsRequest, facts_digest
from client_agent.protocol.jobs import (
    EndReason,
    JobDocument,
    Lease,
    LeaseAnswer,
    LeaseRequest,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.reports import (
    Compliance,
    ComplianceRecord,
    ReportRequest,
)
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint, Nudge
from client_agent.protocol.state import DesiredState
from client_agent.protocol.types import Json


class Refused(Exception):
    """The portal did not accept a request of a simulated computer."""


@dataclass(frozen=True)
class Reply:
    status: int
    etag: str
    work: str
    body: bytes


@dataclass
class SimulatedComputer:
    """One computer. `http` is shared by all of a process."""

    http: aiohttp.ClientSession
    portal: str
    name: str
    product: Product = Product.DESKTOP
    uid: UUID | None = None
    etag: str = ""
    state: DesiredState | None = None
    link_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    seal_key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    stream: UUID = field(default_factory=uuid4)
    sequence: int = 0
    is_connected: bool = False
    pairing_code: str = ""
    nudges: Callable[[SimulatedComputer, Hint], None] = lambda computer, hint: None

    async def enrol(self, token: str) -> EnrolmentStatus:
        """Ask to be let in and return how that stands; ask again to follow it."""
        claim = codec.encode(
            EnrolmentClaim(
                token_secret=parse_token(token).secret,
                device_key=keys.raw_public(self.device_key.public_key()),
                link_key=keys.raw_public(self.link_key.public_key()),
                seal_key=self.seal_key.public_key().public_bytes_raw(),
                facts=EnrolmentFacts(
                    host_name=self.name,
                    product=self.product,
                    os_release="Ubuntu 24.04 LTS",
                    model="Simulated computer",
                    serial=keys.fingerprint(self.name.encode())[:10],
                ),
            )
        )
        asked = EnrolmentRequest(
            claim=claim, proof=keys.sign(self.device_key, PROOF_PURPOSE, claim)
        )
        while True:
            url = f"{self.portal}{API_PREFIX}/enrolments"
            async with self.http.post(url, data=codec.encode(asked)) as response:
                body = await response.read()
                if response.status != 200:
                    raise Refused(body.decode(errors="replace")[:300])
            answer = codec.decode(EnrolmentAnswer, body)
            public = keys.raw_public(self.device_key.public_key())
            self.pairing_code = keys.pairing_code(public, answer.enrolment_id)
            if answer.decision is not None:
                decided = codec.decode(EnrolmentDecision, answer.decision.payload)
                self.uid = decided.computer
                return decided.status
            await asyncio.sleep(answer.retry_seconds)

    async def ask(
        self, method: str, path: str, message: object = None, *, etag: str = ""
    ) -> Reply:
        """Send one signed request below the API's prefix."""
        body = b"" if message is None else codec.encode(message)
        target = f"{API_PREFIX}{path}"
        headers = {"Authorization": self._authorization(method, target, body)}
        if etag:
            headers["If-None-Match"] = etag
        async with self.http.request(
            method, self.portal + target, data=body or None, headers=headers
        ) as response:
            content = await response.read()
            return Reply(
                status=response.status,
                etag=response.headers.get("ETag", ""),
                work=response.headers.get(WORK_HEADER, ""),
                body=content,
            )

    async def check_in(self) -> int:
        """Ask for the state, note a new one, and return the HTTP status."""
        return (await self._poll()).status

    async def _poll(self) -> Reply:
        reply = await self.ask("GET", "/state", etag=self.etag)
        if reply.status == 200:
            self.etag = reply.etag
            signed = codec.decode(Signed, reply.body)
            self.state = codec.decode(DesiredState, signed.payload)
            await self._report_compliance(self.state)
        return reply

    async def look(self) -> None:
        """Check in, and do the work that waits."""
        if (await self._poll()).work:
            await self.do_jobs()

    async def tell_facts(self) -> None:
        """Send a small inventory."""
        facts: dict[str, Json] = {
            "os-name": "Ubuntu 24.04 LTS",
            "memory-bytes": 8 * 1024**3,
            "agent-version": "simulated",
        }
        request = FactsRequest(changed=facts, digest=facts_digest(facts), replaces=True)
        await self.ask("PATCH", "/facts", request)

    async def do_jobs(self) -> int:
        """Lease and answer everything that waits; returns how many jobs that were."""
        request = LeaseRequest(request_id=uuid4(), limit=8)
        reply = await self.ask("POST", "/jobs/lease", request)
        if reply.status != 200:
            return 0
        leases = codec.decode(LeaseAnswer, reply.body).leases
        for lease in leases:
            await self._answer(lease)
        return len(leases)

    async def live(self, *, has_socket: bool = True) -> None:
        """Behave like an agent until cancelled: nudges, polls, jobs."""
        backoff = Backoff(first_seconds=2)
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                if has_socket:
                    await self._follow_socket()
                else:
                    await self.look()
                    await asyncio.sleep(self._poll_seconds())
                backoff.succeeded()
            await asyncio.sleep(backoff.after_failure())

    async def _follow_socket(self) -> None:
        target = f"{API_PREFIX}/socket"
        headers = {"Authorization": self._authorization("GET", target, b"")}
        async with self.http.ws_connect(
            self.portal + target, headers=headers, compress=0
        ) as socket:
            self.is_connected = True
            await self.look()  # at what was ordered before we listened
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                hint = codec.decode(Nudge, message.data.encode()).nudge
                self.nudges(self, hint)
                if hint is Hint.STATE:
                    await self.check_in()
                elif hint is Hint.JOBS:
                    await self.do_jobs()
                elif hint is Hint.CLOSE:
                    return

    async def _answer(self, lease: Lease) -> None:
        job = codec.decode(JobDocument, lease.job.payload)
        lines = (
            f"{self.name}: simulated run of {job.script.slug} {job.script.version}\n"
            "Nothing was changed.\n"
        ).encode()
        output = OutputRequest(lease_id=lease.lease_id, offset=0, data=lines)
        await self.ask("POST", f"/jobs/{job.id}/output", output)
        now = datetime.now(UTC)
        result = ResultRequest(
            lease_id=lease.lease_id,
            reason=EndReason.EXIT,
            started_at=now,
            finished_at=now,
            exit_status=0,
            output_bytes=len(lines),
        )
        await self.ask("POST", f"/jobs/{job.id}/result", result)

    async def _report_compliance(self, state: DesiredState) -> None:
        now = datetime.now(UTC)
        records = [
            ComplianceRecord(
                seq=self.sequence + number,
                at=now,
                setting=slug,
                status=Compliance.COMPLIANT,
                revision=state.revision,
            )
            for number, slug in enumerate(state.settings, start=1)
        ]
        if records:
            self.sequence += len(records)
            request = ReportRequest(stream=self.stream, records=list(records))
            await self.ask("POST", "/reports", request)

    def _poll_seconds(self) -> float:
        seconds = self.state.poll_seconds if self.state else 300
        return random.uniform(0.8, 1.2) * seconds  # noqa: S311

    def _authorization(self, method: str, target: str, body: bytes) -> str:
        if self.uid is None:
            raise Refused(f"{self.name} is not enrolled")
        token = make_token(
            self.link_key,
            computer=self.uid,
            audience=self.portal,
            method=method,
            target=target,
            body=body,
            now=int(time.time()),
            jti=secrets.token_urlsafe(12),
        )
        return f"Bearer {token}"


def session() -> aiohttp.ClientSession:
    """The HTTP connections of one process of simulated computers."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=60),
    )


async def live_all(portal: str, token: str, names: list[str], product: str) -> None:
    """Enrol computers with these names and let them live until cancelled."""
    async with session() as http:
        computers = [
            SimulatedComputer(http, portal, name, Product(product)) for name in names
        ]
        await asyncio.gather(*(_enrol_and_live(each, token) for each in computers))


async def _enrol_and_live(computer: SimulatedComputer, token: str) -> None:
    while await computer.enrol(token) is EnrolmentStatus.PENDING:
        await asyncio.sleep(2)
    await computer.tell_facts()
    await computer.live()


def main() -> None:
    """Entry of ``python -m devtools.simulate``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portal", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--name", default="simulated", help="beginning of the names")
    parser.add_argument("--product", choices=["desktop", "kiosk"], default="desktop")
    options = parser.parse_args()
    names = [f"{options.name}-{number + 1:02}" for number in range(options.count)]
    with suppress(KeyboardInterrupt):
        asyncio.run(live_all(options.portal, options.token, names, options.product))


if __name__ == "__main__":
    main()

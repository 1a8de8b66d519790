"""What the portal costs and how fast it is, with simulated computers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp
import psycopg

from client_agent.protocol.enrolment import EnrolmentStatus
from devtools import postgres, seed
from devtools.benchmarks.measures import Figure, cpu_seconds, percentile
from devtools.simulate import SimulatedComputer, session
from devtools.stack import Stack
from devtools.staff import Staff, wait_for

COMPUTERS = 500
CHECK_INS_PER_CLIENT = 8
POLLS_PER_HOUR = 12
IDLE_SECONDS = 120.0
RUNS = 15
CLIENTS_AT_ONCE = 32


@dataclass
class Bench:
    """A portal with computers that are enrolled and approved."""

    portal: Stack
    sample: seed.Sample
    http: aiohttp.ClientSession
    computers: list[SimulatedComputer]

    @property
    def server_pids(self) -> list[int]:
        """Web processes, database and cache: what serves computers that do nothing."""
        servers = self.portal.servers
        children = [*self.portal.web, servers.database, servers.cache]
        return [child.pid for child in children if child is not None]


async def measure(portal: Stack, sample: seed.Sample) -> list[Figure]:
    """All figures of the portal, in order."""
    async with session() as http:
        bench = Bench(portal, sample, http, await _enrolled(portal, sample, http))
        figures = await _check_ins(bench)
        figures.append(await _run_to_first_line(bench, connected=1))
        figures += await _with_sockets(bench)
    return figures


async def _settled(bench: Bench) -> None:
    """Return when the worker has nothing left to do from what came before."""
    query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"

    def is_idle() -> bool:
        dsn = bench.portal.servers.superuser_dsn
        with psycopg.connect(dsn, dbname=postgres.DATABASE) as connection:
            row = connection.execute(query).fetchone()
        return row is not None and row[0] == 0

    await asyncio.to_thread(wait_for, is_idle, "an idle worker", seconds=240)


async def _enrolled(
    portal: Stack, sample: seed.Sample, http: aiohttp.ClientSession
) -> list[SimulatedComputer]:
    token = await asyncio.to_thread(
        seed.issue_token, sample.organisation_id, seed.SITES[1][0], uses=COMPUTERS
    )
    computers = [
        SimulatedComputer(http, portal.origin, f"bench-{number:04}")
        for number in range(COMPUTERS)
    ]
    at_once = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def enrol(computer: SimulatedComputer) -> EnrolmentStatus:
        async with at_once:
            return await computer.enrol(token)

    await asyncio.gather(*(enrol(each) for each in computers))
    await asyncio.to_thread(seed.approve_pending, sample.organisation_id)
    for computer in computers:
        while await computer.check_in() != 304:
            await asyncio.sleep(0.05)
    return computers


async def _check_ins(bench: Bench) -> list[Figure]:
    """Idle check-ins by polling: cost, rate, latency, queries."""
    await _settled(bench)
    seconds: list[float] = []
    queue = [each for each in bench.computers for _ in range(CHECK_INS_PER_CLIENT)]
    queries = _queries(bench)
    cpu = cpu_seconds(bench.server_pids)
    begin = time.monotonic()

    async def client() -> None:
        while queue:
            computer = queue.pop()
            started = time.monotonic()
            status = await computer.check_in()
            seconds.append(time.monotonic() - started)
            if status != 304:
                raise RuntimeError(f"an idle check-in was answered {status}")

    await asyncio.gather(*(client() for _ in range(CLIENTS_AT_ONCE)))
    elapsed = time.monotonic() - begin
    used = cpu_seconds(bench.server_pids) - cpu
    asked = _queries(bench) - queries
    count = len(seconds)
    return [
        Figure(
            "Server CPU per 1,000 idle computer-hours, polling",
            used / count * POLLS_PER_HOUR * 1000,
            "CPU-s",
            bound=40,
        ),
        Figure("Server CPU per check-in", used / count * 1000, "ms"),
        Figure("Check-ins per second, one web process", count / elapsed, "/s"),
        Figure(
            "Check-ins per CPU-second of the server",
            count / used,
            "/CPU-s",
            bound=200,
            is_at_least=True,
        ),
        Figure("Check-in p50", percentile(seconds, 0.50) * 1000, "ms"),
        Figure("Check-in p99", percentile(seconds, 0.99) * 1000, "ms", bound=250),
        Figure("Queries per idle check-in", asked / count, "", bound=0.05),
    ]


async def _with_sockets(bench: Bench) -> list[Figure]:
    """Computers that hold a socket: cost of being idle, and speed of a run.

    What the server uses for the first one, such as listening to the channel layer, is
    the server's own and is taken away.
    """
    connected = [asyncio.create_task(bench.computers[0].live())]
    await _are_connected(bench, 1)
    with_one = await _cpu_share_while_idle(bench)
    connected += [asyncio.create_task(each.live()) for each in bench.computers[1:]]
    await _are_connected(bench, COMPUTERS)
    with_all = await _cpu_share_while_idle(bench)
    first_line = await _run_to_first_line(bench, connected=COMPUTERS)
    for task in connected:
        task.cancel()
    await asyncio.gather(*connected, return_exceptions=True)
    return [
        Figure("Server CPU with 1 idle socket, of one core", with_one * 100, "%"),
        Figure(
            f"Server CPU with {COMPUTERS} idle sockets, of one core",
            with_all * 100,
            "%",
        ),
        Figure(
            "Server CPU per 1,000 idle computer-hours, sockets",
            (with_all - with_one) * 3600 / (COMPUTERS - 1) * 1000,
            "CPU-s",
            bound=15,
        ),
        first_line,
    ]


async def _are_connected(bench: Bench, count: int) -> None:
    await asyncio.to_thread(
        wait_for, lambda: _sockets(bench) >= count, f"{count} sockets", seconds=240
    )


async def _cpu_share_while_idle(bench: Bench) -> float:
    """Share of one core that the server uses; over whole minutes, as its timers are."""
    await _settled(bench)
    cpu = cpu_seconds(bench.server_pids)
    begin = time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    used = cpu_seconds(bench.server_pids) - cpu
    return used / (time.monotonic() - begin)


async def _run_to_first_line(bench: Bench, *, connected: int) -> Figure:
    """ "Run" pressed to the first line on the run's page, on a connected computer."""
    token = await asyncio.to_thread(
        seed.issue_token, bench.sample.organisation_id, seed.SITES[0][0], uses=1
    )
    computer = SimulatedComputer(bench.http, bench.portal.origin, f"first-{connected}")
    await computer.enrol(token)
    await asyncio.to_thread(seed.approve_pending, bench.sample.organisation_id)
    living = asyncio.create_task(computer.live())
    await _are_connected(bench, connected if connected == 1 else connected + 1)
    sample = await asyncio.to_thread(seed.make_sample, bench.portal.origin)
    await _settled(bench)
    seconds = await asyncio.to_thread(_timed_runs, bench, sample, str(computer.uid))
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    return Figure(
        f"Run to first line, {connected} connected: median",
        percentile(seconds, 0.5) * 1000,
        "ms",
        bound=1000,
    )


def _timed_runs(bench: Bench, sample: seed.Sample, computer: str) -> list[float]:
    staff = Staff(bench.portal.origin, seed.ORGANISATION_SLUG, seed.SITES[0][0])
    staff.sign_in(sample.link_of("it_technician"))
    seconds = []
    for _each in range(RUNS):
        begin = time.monotonic()
        run = staff.run("disk-report", {}, computer=computer)
        job = staff.jobs_of(run)[0]
        wait_for(lambda: staff.output_of(run, job), "the first line")  # noqa: B023
        seconds.append(time.monotonic() - begin)
    return seconds


def _sockets(bench: Bench) -> int:
    """Agents' sockets, as subscriptions of the channel layer."""
    import redis

    with redis.Redis.from_url(bench.portal.servers.redis_url) as client:
        channels = client.pubsub_channels("*agent.*")
    return len(channels)


def _queries(bench: Bench) -> int:
    """Statements that the role of the processes has sent so far, by the database.

    Transactions that the worker makes while it waits are part of it, so that a figure
    a little above zero is the worker's.
    """
    with psycopg.connect(bench.portal.servers.superuser_dsn) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database "
            "WHERE datname = %s",
            [postgres.DATABASE],
        ).fetchone()
    return int(row[0]) if row else 0

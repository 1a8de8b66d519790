"""Two web processes, a worker, Valkey: what happens when one of them is not there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from client_agent.protocol.enrolment import EnrolmentStatus
from client_agent.protocol.socket import Hint
from devtools.simulate import SimulatedComputer, session
from devtools.staff import wait_for
from tests.contract.conftest import Lab

SECONDS = 30.0


@dataclass
class Watched:
    """A simulated computer at one web process, and the hints that it got."""

    computer: SimulatedComputer
    hints: list[Hint] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.computer.nudges = lambda _computer, hint: self.hints.append(hint)


@pytest.fixture
def own_lab(make_lab: Callable[[], Lab]) -> Lab:
    """A portal that the test may break."""
    return make_lab()


@asynccontextmanager
async def enrolled(lab: Lab, name: str, *, web: int) -> AsyncIterator[Watched]:
    """A simulated computer that talks to the web process of that index."""
    async with session() as http:
        origin = f"http://127.0.0.1:{lab.stack.ports[web]}"
        watched = Watched(SimulatedComputer(http, origin, name))
        await watched.computer.enrol(lab.token)
        code = watched.computer.pairing_code
        await asyncio.to_thread(lab.staff.approve, code, name)
        assert await watched.computer.enrol(lab.token) is EnrolmentStatus.APPROVED
        await until(lambda: checked_in(watched.computer, 304))
        yield watched


async def checked_in(computer: SimulatedComputer, status: int) -> bool:
    return await computer.check_in() == status


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Return once `found` is true; asks as fast as the portal answers."""
    async with asyncio.timeout(SECONDS):
        while not await found():
            await asyncio.sleep(0.01)


def address(number: int) -> str:
    return f"https://start-{number}.norrby.example/"


async def want(lab: Lab, number: int) -> None:
    await asyncio.to_thread(lab.staff.save_start_page, address(number))


def wants(computer: SimulatedComputer, number: int) -> bool:
    settings = computer.state.settings if computer.state else {}
    return address(number) in str(settings)


async def changed(computer: SimulatedComputer, number: int) -> bool:
    await computer.check_in()
    return wants(computer, number)


def test_no_process_answers_from_an_old_cache(lab: Lab) -> None:
    """Staff at one web process, computers at both, the change in the worker.

    Once one computer has been given the new state, the other one never gets a 304 for
    the old one, whichever process it asks.
    """

    async def play() -> None:
        async with (
            enrolled(lab, "at-first", web=0) as first,
            enrolled(lab, "at-second", web=1) as second,
        ):
            for number in range(6):
                asking, other = (first, second) if number % 2 else (second, first)
                # Both processes have answered from the cache that nothing changed.
                assert await first.computer.check_in() == 304
                assert await second.computer.check_in() == 304
                await want(lab, number)
                await until(lambda: changed(asking.computer, number))  # noqa: B023
                await other.computer.check_in()
                assert wants(other.computer, number)

    asyncio.run(play())


def test_a_change_in_the_worker_nudges_computers_at_every_process(lab: Lab) -> None:
    async def play() -> None:
        async with (
            enrolled(lab, "hears-first", web=0) as first,
            enrolled(lab, "hears-second", web=1) as second,
        ):
            watched = (first, second)
            living = [asyncio.create_task(each.computer.live()) for each in watched]

            async def are_connected() -> bool:
                return all(each.computer.is_connected for each in watched)

            await until(are_connected)
            for number in (11, 12):
                await want(lab, number)

                async def have_all(number: int = number) -> bool:
                    return all(wants(each.computer, number) for each in watched)

                # They poll every other second only when they have no socket.
                await until(have_all)
                assert all(Hint.STATE in each.hints for each in watched)
            for task in living:
                task.cancel()

    asyncio.run(play())


def test_an_idle_check_in_asks_the_database_nothing(lab: Lab) -> None:
    """With the database stopped for the processes, a 304 is still answered."""

    async def play() -> None:
        async with enrolled(lab, "idle", web=1) as idle:
            await until(lambda: checked_in(idle.computer, 304))
            before = statements_of(lab)
            for _each in range(50):
                assert await idle.computer.check_in() == 304
            # The worker looks for work now and then; fifty check-ins ask nothing.
            assert statements_of(lab) - before < 25

    asyncio.run(play())


def statements_of(lab: Lab) -> int:
    """Transactions of the portal's database so far, by its own count."""
    import psycopg

    with psycopg.connect(lab.stack.servers.database_owner_url) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database "
            "WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def test_without_valkey_it_is_slower_and_nothing_is_wrong(own_lab: Lab) -> None:
    lab = own_lab
    cache = lab.stack.servers.cache
    assert cache is not None

    async def play() -> None:
        async with enrolled(lab, "without-cache", web=0) as watched:
            computer = watched.computer
            cache.kill()
            # Still known, still unchanged, from the database.
            assert await computer.check_in() == 304
            # Nothing is open: another key is refused, as before.
            stranger = SimulatedComputer(computer.http, computer.portal, "stranger")
            stranger.uid = computer.uid
            assert (await stranger.ask("GET", "/state")).status == 401
            # Staff go on; what they change arrives by polling.
            await want(lab, 1)
            await until(lambda: changed(computer, 1))
            run = await asyncio.to_thread(lab.staff.run, "disk-report", {})
            await until(lambda: worked(computer))
            job = (await asyncio.to_thread(lab.staff.jobs_of, run))[0]
            output = await asyncio.to_thread(lab.staff.output_of, run, job)
            assert "without-cache" in output

    async def worked(computer: SimulatedComputer) -> bool:
        return await computer.do_jobs() > 0

    asyncio.run(play())


def test_without_a_worker_nothing_is_lost(own_lab: Lab) -> None:
    """What staff order while no worker runs is done when one runs again."""
    lab = own_lab
    assert lab.stack.worker is not None

    async def play() -> None:
        async with enrolled(lab, "no-worker", web=0) as watched:
            assert lab.stack.worker is not None
            lab.stack.worker.kill()
            run = await asyncio.to_thread(lab.staff.run, "disk-report", {})
            await want(lab, 7)
            assert await watched.computer.do_jobs() == 0
            assert await watched.computer.check_in() == 304
            lab.stack.start_worker()

            async def done() -> bool:
                await watched.computer.check_in()
                await watched.computer.do_jobs()
                states = await asyncio.to_thread(lab.staff.job_states, run)
                is_done = list(states.values()) == ["succeeded"]
                return is_done and wants(watched.computer, 7)

            await until(done)

    asyncio.run(play())


def test_a_revoked_computer_loses_its_socket_at_once(lab: Lab) -> None:
    async def play() -> None:
        async with enrolled(lab, "thrown-out", web=1) as watched:
            living = asyncio.create_task(watched.computer.live())

            async def is_connected() -> bool:
                return watched.computer.is_connected

            await until(is_connected)
            uid = watched.computer.uid
            await asyncio.to_thread(lab.staff.press, f"computers/{uid}/revoke/", {})

            async def is_closed() -> bool:
                return Hint.CLOSE in watched.hints

            await until(is_closed)
            assert (await watched.computer.ask("GET", "/state")).status == 403
            living.cancel()

    asyncio.run(play())


def test_a_log_names_no_secret_and_no_person(lab: Lab) -> None:
    wait_for(lambda: lab.stack.worker is not None, "the worker")
    logs = "".join(
        path.read_text(errors="replace") for path in lab.stack.logs.glob("*.log")
    )
    assert "listening" in logs.lower()
    for private in (lab.token.partition(".")[0], "norrby.example", "/accounts/once/"):
        assert private not in logs

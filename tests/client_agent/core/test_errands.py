"""When errands run, and how long failures keep them from it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.backoff import Backoff, jittered
from client_agent.errands import Errands
from client_agent.errors import AgentError
from client_agent.link_channel import LinkError
from client_agent.portal import PortalError
from client_agent.waiting import happens, result_within


class Boot:
    """Seconds since boot, as the test wants them."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Doing:
    """An errand that notes when it ran, and fails when told to."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self.ran_at: list[float] = []
        self.again: float | None = None
        self.error: Exception | None = None

    async def __call__(self) -> float | None:
        self.ran_at.append(self._boot())
        if self.error is not None:
            raise self.error
        return self.again


def play(scene: Callable[[Errands, Doing, Doing, Boot], Awaitable[None]]) -> None:
    async def run() -> None:
        boot = Boot()
        first, second = Doing(boot), Doing(boot)
        await scene(
            Errands({"first": first, "second": second}, now=boot), first, second, boot
        )

    asyncio.run(run())


def test_asked_errands_run_once_and_again_when_they_say() -> None:
    async def scene(e: Errands, first: Doing, second: Doing, boot: Boot) -> None:
        assert not await e.run_due()
        e.ask("first")
        e.ask("second", within=10)
        first.again = 5
        assert await e.run_due()
        boot.seconds += 5
        await e.run_due()
        boot.seconds += 4
        await e.run_due()
        assert first.ran_at == [1000, 1005]
        assert second.ran_at == []
        boot.seconds += 1
        await e.run_due()
        assert second.ran_at == [1010]

    play(scene)


def test_many_asks_are_one_run() -> None:
    async def scene(e: Errands, first: Doing, second: Doing, boot: Boot) -> None:
        for _ in range(1000):
            e.ask("first")
            await e.run_due()
        assert len(first.ran_at) == 1

    play(scene)


def test_outage_keeps_all_waiting_until_a_sign() -> None:
    async def scene(e: Errands, first: Doing, second: Doing, boot: Boot) -> None:
        first.error = PortalError("http-503", retry_seconds=100)
        e.ask("first")
        e.ask("second")
        await e.run_due()
        boot.seconds += 50
        await e.run_due()
        assert (len(first.ran_at), len(second.ran_at)) == (1, 0)
        assert e.error == "http-503"
        first.error = None
        e.hurry()
        await e.run_due()
        assert len(second.ran_at) == 1
        boot.seconds += 51
        await e.run_due()
        assert len(first.ran_at) == 2
        assert e.error == ""

    play(scene)


@pytest.mark.parametrize(
    "error",
    [
        PortalError("report-gap"),
        AgentError("reports-not-taken"),
        OSError(28, "no space"),
        RuntimeError("a mistake of ours"),
    ],
)
def test_one_failure_does_not_hold_up_the_other(error: Exception) -> None:
    async def scene(e: Errands, first: Doing, second: Doing, boot: Boot) -> None:
        first.error = error
        e.ask("first")
        e.ask("second")
        await e.run_due()
        assert len(second.ran_at) == 1
        boot.seconds += 400
        await e.run_due()
        assert len(first.ran_at) == 2

    play(scene)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_waits_grow_and_stay_within_five_minutes(picks: list[float]) -> None:
    chosen = iter(picks)
    backoff = Backoff(pick=lambda low, high: low + next(chosen) * (high - low))
    for failures, pick in enumerate(picks):
        wait = backoff.after_failure()
        assert wait == pytest.approx(pick * min(300, 2.0**failures))
    backoff.succeeded()


def test_fleet_comes_back_over_five_minutes() -> None:
    waits = []
    for _ in range(2000):
        backoff = Backoff()
        for _ in range(12):
            wait = backoff.after_failure()
        waits.append(wait)
    by_minute = [sum(60 * m <= w < 60 * (m + 1) for w in waits) for m in range(5)]
    assert sum(by_minute) == len(waits)
    assert min(by_minute) > 200


def test_retry_after_is_honoured() -> None:
    assert Backoff().after_failure(at_least=120) >= 120
    assert 80 <= jittered(100) <= 120


def test_cancellation_is_not_lost_with_its_event() -> None:
    async def run() -> None:
        event = asyncio.Event()
        task = asyncio.create_task(happens(event, within=10))
        await asyncio.sleep(0)
        event.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_waiting_has_an_end() -> None:
    async def run() -> None:
        assert not await happens(asyncio.Event(), within=0.01)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await result_within(future, 0.01)
        assert future.cancelled()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_exception(LinkError("link-down"))
        with pytest.raises(LinkError):
            await result_within(done, 1)

    asyncio.run(run())

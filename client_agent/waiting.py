"""Waiting with a limit, without losing a cancellation."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Wait for `event`, at most so many seconds; whether it is set.

    Not ``asyncio.wait_for``, which before Python 3.12 forgets a cancellation that
    comes together with the event.
    """
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiter}, timeout=within)
    finally:
        waiter.cancel()
    return event.is_set()


async def result_within(future: "asyncio.Future[T]", seconds: float) -> T:
    """The result of `future`, which is cancelled if it takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    try:
        await asyncio.wait({future}, timeout=seconds)
    finally:
        is_late = not future.done()
        if is_late:
            future.cancel()
        elif not future.cancelled():
            future.exception()  # looked at, also if we are cancelled ourselves
    if is_late:
        raise TimeoutError
    return future.result()

"""What the benchmarks count: CPU, memory, percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Figure:
    """One row of the table. `bound` is what must be reached; lower is better unless
    `is_at_least`."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    is_at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the bound is kept; a figure without one always is."""
        if self.bound is None:
            return True
        if self.is_at_least:
            return self.value >= self.bound
        return self.value <= self.bound


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of `values`, `share` between 0 and 1."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that these processes and all their children have used so far.

    Children first: the time of one that ends meanwhile is then in its parent's.
    """
    total = 0.0
    for process in reversed(_family(pids)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system
    return total


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional set size of these processes and their children."""
    return sum(process.memory_full_info().pss for process in _family(pids))


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            found[process.pid] = process
    return list(found.values())


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| Figure | Measured | Must be | Reached |", "|---|---:|---:|---|"]
    for figure in figures:
        sign = "at least" if figure.is_at_least else "at most"
        bound = "" if figure.bound is None else f"{sign} {figure.bound:g} {figure.unit}"
        reached = "" if figure.bound is None else ("yes" if figure.is_met else "**no**")
        value = f"{figure.value:.3g} {figure.unit}"
        lines.append(f"| {figure.name} | {value} | {bound} | {reached} |")
    return "\n".join(lines)

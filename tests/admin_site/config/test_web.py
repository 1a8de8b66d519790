"""How often the web process looks through its connections."""

from collections.abc import Callable
from typing import Any

import pytest
from daphne.server import Server

from admin_site.config import web


@pytest.mark.parametrize(
    ("look", "calls"), [("application_checker", 10), ("timeout_checker", 5)]
)
def test_one_look_in_ten_seconds_is_made(
    monkeypatch: pytest.MonkeyPatch, look: str, calls: int
) -> None:
    made: list[str] = []
    waiting: list[Callable[[], None]] = []

    def later(_seconds: float, call: Callable[[], None]) -> None:
        waiting.append(call)

    def own_look(server: Any) -> None:
        made.append(look)
        later(1, getattr(server, look))

    monkeypatch.setattr(web.reactor, "callLater", later)
    monkeypatch.setattr(Server, look, own_look)
    server = web.PatientServer(application=None, endpoints=["tcp:port=0"])
    waiting.append(getattr(server, look))
    for _ in range(3 * calls):
        waiting.pop()()
    assert len(made) == 3
    assert len(waiting) == 1

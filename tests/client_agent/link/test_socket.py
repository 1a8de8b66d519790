"""The socket of hints: back after a break, silent where it is blocked."""

import queue
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.backoff import Backoff
from client_agent.key_files import public_bytes
from client_agent.link.socket import HintSocket
from client_agent.link.transport import Transport
from client_agent.link_frames import Configure, Nudged, SocketChanged
from client_agent.protocol.enrolment import EnrolmentClaim, EnrolmentFacts, Product
from client_agent.protocol.socket import Hint
from tests.fakes.portal import FakePortal

KEY = Ed25519PrivateKey.generate()
News = queue.Queue[Nudged | SocketChanged]
UP, DOWN = SocketChanged(is_up=True), SocketChanged(is_up=False)


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    with FakePortal() as portal:
        portal.claim = EnrolmentClaim(
            token_secret="aSecretOfStaff",
            device_key=b"d" * 32,
            link_key=public_bytes(KEY),
            seal_key=b"s" * 32,
            facts=EnrolmentFacts(host_name="h", product=Product.DESKTOP),
        )
        yield portal


@pytest.fixture
def news() -> News:
    return queue.Queue()


@pytest.fixture
def hints(portal: FakePortal, news: News) -> Iterator[HintSocket]:
    configuration = Configure(
        portal=portal.origin, audience=portal.origin, computer=portal.computer
    )
    hints = HintSocket(
        Transport(configuration, KEY),
        news.put,
        backoff=Backoff(first_seconds=0.01, most_seconds=0.1),
    )
    yield hints
    hints.stop()


def test_hints_are_passed_on(portal: FakePortal, news: News, hints: HintSocket) -> None:
    hints.start()
    assert news.get(timeout=10) == UP
    for hint in (Hint.STATE, Hint.JOBS, Hint.ORDERS):
        portal.nudge(hint)
        assert news.get(timeout=10) == Nudged(hint)


def test_nonsense_is_passed_over(
    portal: FakePortal, news: News, hints: HintSocket
) -> None:
    hints.start()
    assert news.get(timeout=10) == UP
    for nonsense in (b"", b"{", b'{"nudge":"dance"}', b"[]", b"x" * 100):
        portal.wait_for(lambda: portal.sockets)[0].send_text(nonsense)
    portal.nudge(Hint.STATE)
    assert news.get(timeout=10) == Nudged(Hint.STATE)


def test_it_comes_back_after_a_break(
    portal: FakePortal, news: News, hints: HintSocket
) -> None:
    hints.start()
    assert news.get(timeout=10) == UP
    portal.wait_for(lambda: portal.sockets)[0].close()
    assert [news.get(timeout=10) for _ in range(2)] == [DOWN, UP]


def test_close_ends_it_and_it_comes_anew(
    portal: FakePortal, news: News, hints: HintSocket
) -> None:
    hints.start()
    assert news.get(timeout=10) == UP
    portal.nudge(Hint.CLOSE)
    expected = [Nudged(Hint.CLOSE), DOWN, UP]
    assert [news.get(timeout=10) for _ in range(3)] == expected


def test_blocked_socket_stays_down_and_is_tried_again(
    portal: FakePortal, news: News, hints: HintSocket
) -> None:
    portal.has_sockets = False
    hints.start()
    portal.wait_for(lambda: portal.count("GET /socket") >= 3)
    assert news.empty()
    with portal.changed:
        portal.has_sockets = True
    assert news.get(timeout=10) == UP


def test_stopped_socket_tells_nothing(
    portal: FakePortal, news: News, hints: HintSocket
) -> None:
    hints.start()
    assert news.get(timeout=10) == UP
    hints.stop()
    portal.wait_for(lambda: not portal.sockets)
    assert news.empty()

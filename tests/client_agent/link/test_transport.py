"""HTTP of the unprivileged half against real servers."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.key_files import public_bytes
from client_agent.link.transport import Transport, TransportError
from client_agent.link_frames import PART_BYTES, Configure, Exchange
from client_agent.protocol import codec
from client_agent.protocol.enrolment import EnrolmentClaim, EnrolmentFacts, Product
from client_agent.protocol.jobs import LeaseRequest
from tests.fakes.portal import FakePortal
from tests.fakes.portal_http import Answer

KEY = Ed25519PrivateKey.generate()


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
        portal.want({})
        yield portal


def transport_to(server: FakePortal, **changes: object) -> Transport:
    fields: dict[str, object] = {
        "portal": server.origin,
        "audience": server.origin,
        "computer": server.computer,
        **changes,
    }
    return Transport(Configure(**fields), KEY)  # type: ignore[arg-type]


def exchange(path: str, **changes: object) -> Exchange:
    fields = {"id": 1, "method": "GET", "target": f"/agent/v1{path}", **changes}
    return Exchange(**fields)  # type: ignore[arg-type]


def body_of(transport: Transport, request: Exchange) -> bytes:
    return b"".join(transport.perform(request).parts)


def test_signed_request_is_answered(portal: FakePortal) -> None:
    response = transport_to(portal).perform(exchange("/state"))
    assert response.status == 200
    assert response.headers["etag"]
    assert b"signature" in b"".join(response.parts)


def test_query_and_body_are_bound(portal: FakePortal) -> None:
    transport = transport_to(portal)
    assert transport.perform(exchange("/orders?after=0")).status == 200
    body = codec.encode(LeaseRequest(request_id=uuid4()))
    request = exchange("/jobs/lease", method="POST", body=body)
    assert transport.perform(request).status == 200


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_is_learned_once(portal: FakePortal, hours: int) -> None:
    portal.clock_offset = timedelta(hours=hours)
    transport = transport_to(portal)
    assert transport.perform(exchange("/state")).status == 200
    assert abs(transport.clock_offset_seconds - 3600 * hours) < 5
    assert portal.count("GET /state") == 2
    assert transport.perform(exchange("/state")).status == 200
    assert portal.count("GET /state") == 3


def test_other_refusals_are_passed_on(portal: FakePortal) -> None:
    transport = transport_to(portal, computer=uuid4())
    response = transport.perform(exchange("/state"))
    assert response.status == 401
    assert b"not-enrolled" in b"".join(response.parts)


def test_nothing_is_signed_without_an_identity(portal: FakePortal) -> None:
    with pytest.raises(TransportError, match="not-enrolled"):
        transport_to(portal, computer=None).perform(exchange("/state"))


def test_too_long_answer_is_not_read(portal: FakePortal) -> None:
    portal.replace("GET /state", Answer(200, b"x" * 5000))
    with pytest.raises(TransportError, match="body-too-large"):
        body_of(transport_to(portal), exchange("/state", limit=4999))


def test_long_answer_comes_in_parts(portal: FakePortal) -> None:
    content = b"y" * (PART_BYTES * 2 + 5)
    portal.replace("GET /state", Answer(200, content))
    request = exchange("/state", limit=len(content))
    parts = list(transport_to(portal).perform(request).parts)
    assert b"".join(parts) == content
    assert max(map(len, parts)) <= PART_BYTES


def test_redirects_are_not_followed(portal: FakePortal) -> None:
    away = {"Location": "http://127.0.0.1:9/elsewhere"}
    portal.replace("GET /state", Answer(302, b"", away))
    assert transport_to(portal).perform(exchange("/state")).status == 302


def test_cookies_are_not_kept(portal: FakePortal) -> None:
    portal.replace("GET /state", Answer(200, b"{}", {"Set-Cookie": "a=b; Path=/"}))
    transport = transport_to(portal)
    body_of(transport, exchange("/state"))
    assert not transport._session.cookies


def test_closed_port_is_unreachable(portal: FakePortal) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"
        transport = transport_to(portal, portal=origin)
        with pytest.raises(TransportError, match="portal-unreachable"):
            transport.perform(exchange("/state"))


def test_connection_that_breaks_is_told(portal: FakePortal) -> None:
    portal.lose("GET /state", times=10)
    with pytest.raises(TransportError, match="portal-unreachable"):
        transport_to(portal).perform(exchange("/state"))


def test_silent_portal_times_out(portal: FakePortal) -> None:
    held = portal.hold("GET /state")
    with pytest.raises(TransportError, match="portal-timeout"):
        transport_to(portal).perform(exchange("/state", timeout_seconds=1))
    portal.release(held)


def test_ca_file_that_is_gone_is_told(portal: FakePortal) -> None:
    transport = transport_to(
        portal,
        ca_file="/nowhere.pem",
        portal=portal.origin.replace("http:", "https:"),
    )
    with pytest.raises(TransportError, match="request-impossible"):
        transport.perform(exchange("/state"))


class Proxy:
    """An HTTP proxy that only notes what it is asked for, and answers itself."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536).split(b"\r\n")[0])
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join()


def test_proxy_is_used(portal: FakePortal) -> None:
    proxy = Proxy()
    try:
        address = f"http://127.0.0.1:{proxy.listener.getsockname()[1]}"
        transport = transport_to(portal, proxy=address)
        assert body_of(transport, exchange("/state")) == b"{}"
        transport.close()
    finally:
        proxy.close()
    target = f"GET {portal.origin}/agent/v1/state HTTP/1.1"
    assert proxy.asked == [target.encode()]
    assert portal.count("") == 0

"""The layers of the network against real sockets, each failing in its way."""

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from client_agent.link import probe
from client_agent.link.certificates import certificate_of
from client_agent.link.probe import observe
from client_agent.link_frames import Configure
from client_agent.network_layers import Layer, Observation
from tests.client_agent.doctor.servers import (
    Authority,
    answer,
    encrypted,
    saying,
    server,
    tunnel_to,
    unused_port,
)

NOW = datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Norrby Firewall AB")


def look(
    port: int,
    *,
    ca: Path | None = None,
    proxy: str | None = None,
    scheme: str = "https",
) -> list[Observation]:
    origin = f"{scheme}://127.0.0.1:{port}"
    way = Configure(
        portal=origin, audience=origin, ca_file=str(ca) if ca else None, proxy=proxy
    )
    return list(observe(way))


def codes(seen: Sequence[Observation]) -> list[tuple[Layer, str]]:
    return [(observation.layer, observation.code) for observation in seen]


def well(*layers: Layer) -> list[tuple[Layer, str]]:
    return [(layer, "") for layer in layers]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), "name-unknown"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "name-server-silent"),
        (OSError(), "name-failed"),
        (UnicodeError(), "name-failed"),
    ],
)
def test_a_name_that_is_not_found(error: Exception, code: str) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise error

    way = Configure(portal="https://portal.example", audience="")
    (seen,) = observe(way, resolve=resolve)
    assert (seen.layer, seen.code) == (Layer.NAME, code)
    assert seen.detail == "portal.example"


def test_with_a_proxy_its_name_is_looked_up() -> None:
    asked = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return []

    way = Configure(
        portal="https://portal.example",
        audience="",
        proxy="http://proxy.example:3128",
    )
    assert codes(list(observe(way, resolve=resolve))) == [(Layer.NAME, "name-unknown")]
    assert asked == [("proxy.example", 3128)]


def test_nothing_listens() -> None:
    assert codes(look(unused_port())) == [
        (Layer.NAME, ""),
        (Layer.CONNECT, "connect-refused"),
    ]


def test_the_next_address_is_tried(authority: Authority) -> None:
    speak = encrypted(authority.context(), saying(answer()))
    with server(speak) as port:
        way = Configure(
            portal=f"https://127.0.0.1:{port}",
            audience="",
            ca_file=str(authority.file),
        )
        seen = list(observe(way, resolve=lambda *_: ["::1", "127.0.0.1"]))
    assert seen[-1].detail == "HTTP 401 not-enrolled"


def test_right_with_the_site_s_own_ca_file(authority: Authority) -> None:
    speak = encrypted(authority.context(), saying(answer()))
    with server(speak) as port:
        seen = look(port, ca=authority.file)
    assert codes(seen) == well(Layer.NAME, Layer.CONNECT, Layer.TLS, Layer.ANSWER)
    certificate = seen[2].certificate
    assert certificate is not None
    assert certificate.issuer == "Norrby Firewall AB, Root"
    assert certificate.subject == "Norrby, portal"
    assert seen[-1].detail == "HTTP 401 not-enrolled"


def test_an_unknown_issuer_is_named(authority: Authority) -> None:
    speak = encrypted(authority.context(), saying(answer()))
    with server(speak) as port:
        seen = look(port)
    assert codes(seen)[-1] == (Layer.TLS, "tls-untrusted")
    assert seen[-1].certificate is not None
    assert seen[-1].certificate.issuer == "Norrby Firewall AB, Root"


def test_an_expired_certificate(authority: Authority) -> None:
    context = authority.context(since=NOW - timedelta(days=60), days=30)
    with server(encrypted(context, saying(answer()))) as port:
        seen = look(port, ca=authority.file)
    assert codes(seen)[-1] == (Layer.TLS, "tls-expired")
    assert seen[-1].certificate is not None
    assert seen[-1].certificate.valid_until < NOW


def test_a_certificate_for_another_name(authority: Authority) -> None:
    context = authority.context(host="127.0.0.2")
    with server(encrypted(context, saying(answer()))) as port:
        seen = look(port, ca=authority.file)
    assert codes(seen)[-1] == (Layer.TLS, "tls-name-wrong")


def test_a_clock_wrong_by_years_is_seen_in_spite_of_tls(authority: Authority) -> None:
    later = NOW + timedelta(days=4000)
    context = authority.context(since=later - timedelta(days=1))
    dated = answer(Date=format_datetime(later, usegmt=True))
    with server(encrypted(context, saying(dated))) as port:
        seen = look(port, ca=authority.file)
    assert codes(seen)[-1] == (Layer.TLS, "tls-not-yet-valid")
    offset = seen[-1].clock_offset_seconds
    assert offset is not None
    assert abs(offset - 4000 * 24 * 3600) < 3600


def test_no_tls_behind_the_port() -> None:
    with server(lambda c: c.sendall(b"220 mail.example ESMTP\r\n")) as port:
        assert codes(look(port))[-1] == (Layer.TLS, "tls-absent")


def test_tls_that_is_cut() -> None:
    with server(lambda connection: None) as port:
        assert codes(look(port))[-1] == (Layer.TLS, "tls-cut")


def test_tls_that_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SECONDS", 0.2)

    def listen(connection: socket.socket) -> None:
        while connection.recv(1000):
            pass

    with server(listen) as port:
        assert codes(look(port))[-1] == (Layer.TLS, "tls-silent")


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with server(saying(b"")) as port:
        seen = look(port, ca=tmp_path / "ca.pem")
    assert codes(seen)[-1] == (Layer.TLS, "ca-file-unreadable")


@pytest.mark.parametrize(
    ("login", "said", "code"),
    [
        ("", answer("407 Login"), "proxy-login-wanted"),
        ("anna:pass@", answer("407 Login"), "proxy-login-refused"),
        ("", answer("403 Forbidden"), "proxy-refuses"),
        ("", b"SSH-2.0-x\r\n\r\n", "proxy-garbled"),
        ("", b"", "proxy-garbled"),
    ],
)
def test_a_proxy_that_does_not_let_through(login: str, said: bytes, code: str) -> None:
    with server(saying(said)) as port:
        seen = look(443, proxy=f"http://{login}127.0.0.1:{port}")
    assert codes(seen) == [*well(Layer.NAME, Layer.CONNECT), (Layer.PROXY, code)]


@pytest.mark.parametrize("is_proxy_encrypted", [False, True])
def test_through_a_proxy(authority: Authority, is_proxy_encrypted: bool) -> None:
    asked: list[bytes] = []
    context = authority.context()
    with server(encrypted(context, saying(answer()))) as port:
        proxy = tunnel_to(port, asked)
        scheme = "https" if is_proxy_encrypted else "http"
        with server(encrypted(context, proxy) if is_proxy_encrypted else proxy) as way:
            seen = look(
                port, ca=authority.file, proxy=f"{scheme}://anna:p%40ss@127.0.0.1:{way}"
            )
    assert codes(seen) == well(*Layer)
    assert b"Proxy-Authorization: Basic YW5uYTpwQHNz\r\n" in asked[0]
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("said", "code", "detail"),
    [
        (b"garbage\r\n\r\n", "answer-garbled", ""),
        (b"", "answer-garbled", ""),
        (
            answer("302 Found", Location="https://login.example/?secret=1"),
            "portal-redirects",
            "login.example",
        ),
        (
            answer("200 OK", b"<html>", Content_Type="text/html; charset=x"),
            "portal-foreign",
            "HTTP 200 text/html",
        ),
        (answer("404 No", b'{"code": "other"}'), "portal-foreign", "HTTP 404"),
        (answer("503 Busy", b""), "portal-down", "HTTP 503"),
        (answer("401 No", b"{" * 100_000), "portal-foreign", "HTTP 401"),
    ],
)
def test_what_answers_is_no_portal(said: bytes, code: str, detail: str) -> None:
    with server(saying(said)) as port:
        seen = look(port, scheme="http")
    assert codes(seen)[-1] == (Layer.ANSWER, code)
    assert detail in seen[-1].detail


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "\xff"])
def test_a_date_that_is_none_is_no_obstacle(date: str) -> None:
    with server(saying(answer(Date=date))) as port:
        seen = look(port, scheme="http")
    assert codes(seen)[-1] == (Layer.ANSWER, "")
    assert seen[-1].clock_offset_seconds is None


def test_a_certificate_that_cannot_be_read() -> None:
    assert certificate_of(None) is None
    assert certificate_of(b"0\x82garbage") is None


def test_no_agreement_on_how_to_encrypt(authority: Authority) -> None:
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256")
    with server(encrypted(context, saying(answer()))) as port:
        assert codes(look(port))[-1] == (Layer.TLS, "tls-failed")

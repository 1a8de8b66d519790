"""``python -m client_agent.link.probe``: the way to the portal, layer by layer.

Standard input is one Configure; standard output is one Observation a line, each as soon
as it is made. Runs as link's user: what answers may be anything at all.
"""

import base64
import contextlib
import errno
import http.client
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.ssltransport import SSLTransport

from client_agent.link.certificates import certificate_of
from client_agent.link.transport import ca_file_of
from client_agent.link_frames import Configure
from client_agent.network_layers import Certificate, Layer, Observation
from client_agent.protocol import API_PREFIX, codec
from client_agent.protocol.errors import ErrorCode, Problem, ProtocolError

_SECONDS = 8.0
"""For each step; the whole is bounded by who started us."""

_ADDRESSES = 4
_BODY_BYTES = 64 * 1024
_INPUT_BYTES = 16 * 1024
_DETAIL = 300
_PORTS = {"http": 80, "https": 443}

_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)

# Source: openssl-verification-options(1) and x509_vfy.h.
_VERIFY_CODES = {
    9: "tls-not-yet-valid",
    10: "tls-expired",
    62: "tls-name-wrong",
    64: "tls-name-wrong",
}
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE")

Resolve = Callable[[str, int], Sequence[str]]
"""Addresses of a name; raises OSError."""

Stream = socket.socket | SSLTransport


class Failure(Exception):
    """A layer that does not work."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        certificate: Certificate | None = None,
        clock_offset_seconds: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.certificate = certificate
        self.clock_offset_seconds = clock_offset_seconds


def main() -> int:
    """Observe what standard input describes."""
    raw = sys.stdin.buffer.read(_INPUT_BYTES)
    for observation in observe(msgspec.json.decode(raw, type=Configure)):
        sys.stdout.buffer.write(msgspec.json.encode(observation) + b"\n")
        sys.stdout.buffer.flush()
    return 0


def resolved(host: str, port: int) -> Sequence[str]:
    """Addresses of a name, as the system finds them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def observe(way: Configure, *, resolve: Resolve = resolved) -> Iterator[Observation]:
    """Each layer that was tried, in order; only the last one can have failed."""
    probe = _Probe(way)
    layer = Layer.NAME
    try:
        yield Observation(layer, detail=_cut(", ".join(probe.find(resolve))))
        layer = Layer.CONNECT
        connection = probe.connect()
        yield Observation(layer, detail=_cut(probe.first_stop))
        stream: Stream = connection
        if probe.proxy is not None:
            layer = Layer.PROXY
            stream = probe.pass_proxy(connection, probe.proxy)
            yield Observation(layer, detail=_cut(probe.first_stop))
        layer = Layer.TLS
        certificate = None
        if probe.is_encrypted:
            stream, certificate = probe.encrypt(stream)
        yield Observation(layer, certificate=certificate)
        layer = Layer.ANSWER
        detail, offset = probe.ask(stream)
        yield Observation(layer, detail=detail, clock_offset_seconds=offset)
    except Failure as failure:
        yield Observation(
            layer,
            failure.code,
            _cut(failure.detail),
            failure.certificate,
            failure.clock_offset_seconds,
        )
    finally:
        probe.close()


class _Probe:
    """One way to one portal. Methods raise Failure."""

    def __init__(self, way: Configure) -> None:
        self.portal = urlsplit(way.portal)
        self.proxy = urlsplit(way.proxy) if way.proxy else None
        self.is_encrypted = self.portal.scheme == "https"
        self._way = way
        self._first = self.proxy or self.portal
        self._addresses: Sequence[str] = []
        self._opened = contextlib.ExitStack()

    def close(self) -> None:
        """Close all connections that were made."""
        self._opened.close()

    @property
    def first_stop(self) -> str:
        """The first to connect to, as people write it."""
        return f"{self._first.hostname}:{_port_of(self._first)}"

    def find(self, resolve: Resolve) -> Sequence[str]:
        """Addresses of the first stop."""
        host = self._first.hostname or ""
        try:
            addresses = resolve(host, _port_of(self._first))
        except socket.gaierror as error:
            is_unknown = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
            code = "name-unknown" if is_unknown else "name-server-silent"
            raise Failure(code, host) from error
        except (OSError, UnicodeError) as error:
            raise Failure("name-failed", host) from error
        if not addresses:
            raise Failure("name-unknown", host)
        self._addresses = addresses[:_ADDRESSES]
        return addresses

    def connect(self) -> socket.socket:
        """A connection to the first of the addresses that takes one."""
        failure = Failure("connect-failed", self.first_stop)
        for address in self._addresses:
            try:
                connection = socket.create_connection(
                    (address, _port_of(self._first)), timeout=_SECONDS
                )
            except OSError as error:
                failure = Failure(_connect_code(error), self.first_stop)
            else:
                self._opened.callback(connection.close)
                return connection
        raise failure

    def pass_proxy(
        self, connection: socket.socket, proxy: SplitResult
    ) -> socket.socket:
        """A stream on which the portal itself answers."""
        stream = connection
        if proxy.scheme == "https":
            try:
                stream = self._verifying().wrap_socket(
                    connection, server_hostname=proxy.hostname
                )
            except OSError as error:
                raise Failure("proxy-untrusted", self.first_stop) from error
            self._opened.callback(stream.close)
        if not self.is_encrypted:
            return stream
        try:
            status, reason = _tunnelled(stream, self.portal, proxy)
        except http.client.HTTPException as error:
            raise Failure("proxy-garbled", self.first_stop) from error
        except OSError as error:
            raise Failure("proxy-silent", self.first_stop) from error
        if status == 407:
            had_login = proxy.username is not None
            code = "proxy-login-refused" if had_login else "proxy-login-wanted"
            raise Failure(code, f"{status} {reason}")
        if not 200 <= status < 300:
            raise Failure("proxy-refuses", f"{status} {reason}")
        return stream

    def encrypt(self, stream: Stream) -> tuple[Stream, Certificate | None]:
        """The stream inside, if its certificate can be trusted."""
        context = self._verifying()
        try:
            inside = self._wrapped(context, stream)
        except OSError as error:
            code = tls_code(error)
            if not isinstance(error, ssl.SSLCertVerificationError):
                raise Failure(code, self.portal.netloc) from error
            certificate, offset = self._look_unverified()
            raise Failure(code, self.portal.netloc, certificate, offset) from error
        return inside, certificate_of(inside.getpeercert(True))

    def ask(self, stream: Stream) -> tuple[str, int | None]:
        """Status and code of a portal's answer, and how far its clock is ahead."""
        try:
            response, body = _asked(stream, self._target(), self.portal.netloc)
        except http.client.HTTPException as error:
            raise Failure("answer-garbled", self.portal.netloc) from error
        except OSError as error:
            raise Failure("answer-silent", self.portal.netloc) from error
        offset = _clock_offset(response)
        code, detail = _judged(response, body)
        if code:
            raise Failure(code, detail, clock_offset_seconds=offset)
        return detail, offset

    def _target(self) -> str:
        path = f"{API_PREFIX}/state"
        is_proxied = self.proxy is not None and not self.is_encrypted
        return self._way.portal + path if is_proxied else path

    def _verifying(self) -> ssl.SSLContext:
        """As the transport verifies."""
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        path = ca_file_of(self._way) or DEFAULT_CA_BUNDLE_PATH
        try:
            context.load_verify_locations(cafile=path)
        except OSError as error:  # SSLError is one
            raise Failure("ca-file-unreadable", path) from error
        return context

    def _look_unverified(self) -> tuple[Certificate | None, int | None]:
        """Who is there instead, and what its clock says; nothing is told to it."""
        context = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
        certificate, offset = None, None
        with contextlib.suppress(OSError, Failure, http.client.HTTPException):
            stream = self.connect()
            if self.proxy is not None:
                stream = self.pass_proxy(stream, self.proxy)
            inside = self._wrapped(context, stream)
            certificate = certificate_of(inside.getpeercert(True))
            response, _ = _asked(inside, self._target(), self.portal.netloc)
            offset = _clock_offset(response)
        return certificate, offset

    def _wrapped(
        self, context: ssl.SSLContext, stream: Stream
    ) -> ssl.SSLSocket | SSLTransport:
        host = self.portal.hostname
        if isinstance(stream, ssl.SSLSocket):  # the proxy's, and TLS goes through it
            return SSLTransport(stream, context, server_hostname=host)
        inside = context.wrap_socket(cast(socket.socket, stream), server_hostname=host)
        self._opened.callback(inside.close)
        return inside


def tls_code(error: OSError) -> str:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_CODES.get(error.verify_code, "tls-untrusted")
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        is_late = isinstance(error, TimeoutError)
        return "tls-silent" if is_late else "tls-cut"
    return "tls-absent" if error.reason in _NO_TLS else "tls-failed"


def _connect_code(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect-refused"
    if isinstance(error, TimeoutError):
        return "connect-silent"
    return "connect-unreachable" if error.errno in _NO_WAY else "connect-failed"


def _tunnelled(
    stream: socket.socket, portal: SplitResult, proxy: SplitResult
) -> tuple[int, str]:
    """Status and reason of the proxy's answer to CONNECT. Source: RFC 9110, 9.3.6."""
    host = portal.hostname or ""
    name = f"[{host}]" if ":" in host else host
    lines = [f"CONNECT {name}:{_port_of(portal)} HTTP/1.1"]
    lines.append(f"Host: {name}:{_port_of(portal)}")
    if proxy.username is not None:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        coded = base64.b64encode(login.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {coded}")
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    response = http.client.HTTPResponse(stream, method="CONNECT")
    with contextlib.closing(response):  # the stream stays open
        response.begin()
    return response.status, response.reason


def _asked(
    stream: Stream, target: str, host: str
) -> tuple[http.client.HTTPResponse, bytes]:
    stream.sendall(
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: citizenpc-link\r\n"
        "Accept: application/json\r\nConnection: close\r\n\r\n".encode()
    )
    response = http.client.HTTPResponse(cast(socket.socket, stream), method="GET")
    with contextlib.closing(response):
        response.begin()
        return response, response.read(_BODY_BYTES)


def _judged(response: http.client.HTTPResponse, body: bytes) -> tuple[str, str]:
    """Code (empty for a portal) and detail of an answer to an unsigned request."""
    status = response.status
    if 300 <= status < 400:
        return "portal-redirects", _host_of(response.headers.get("Location", ""))
    if status == 407:
        return "proxy-login-wanted", str(status)
    if status >= 500:
        return "portal-down", f"HTTP {status}"
    try:
        code = ErrorCode(codec.decode(Problem, body).code)
    except (ProtocolError, ValueError):
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        return "portal-foreign", _cut(f"HTTP {status} {kind}".strip())
    return "", f"HTTP {status} {code.value}"


def _host_of(location: str) -> str:
    """Where a redirection leads, without anything that may be secret."""
    try:
        parts = urlsplit(location)
        return _cut(parts.hostname or parts.path)
    except ValueError:
        return ""


def _clock_offset(response: http.client.HTTPResponse) -> int | None:
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
        return round(moment.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _port_of(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _cut(text: str) -> str:
    return text[:_DETAIL]


if __name__ == "__main__":
    sys.exit(main())

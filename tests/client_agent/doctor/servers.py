"""Certificates made on the spot, and servers that misbehave in one way each."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

_PATIENCE_SECONDS = 10.0
_REFUSAL = b'{"code": "not-enrolled"}'

Speak = Callable[[socket.socket], None]


class Authority:
    """An issuer of certificates; `file` holds its own."""

    def __init__(self, directory: Path, organisation: str) -> None:
        self.name = _name(organisation, "Root")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._directory = directory
        self.file = directory / "ca.pem"
        own = self._signed(self.name, self._key, _now() - timedelta(days=9000), 18000)
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def context(
        self, *, since: datetime | None = None, days: int = 30, host: str = "127.0.0.1"
    ) -> ssl.SSLContext:
        """A server's context with a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        since = since or _now() - timedelta(days=1)
        issued = self._signed(_name("Norrby", "portal"), key, since, days, host)
        file = self._directory / "server.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(issued.public_bytes(Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        since: datetime,
        days: int,
        host: str | None = None,
    ) -> x509.Certificate:
        is_ca = host is None
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + timedelta(days=days))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()
                ),
                False,
            )
            .add_extension(_usage(is_ca=is_ca), critical=True)
        )
        if host is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organisation: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def server(speak: Speak) -> Iterator[int]:
    """A listener's port; each connection is handed to `speak` and then closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_SECONDS)
        with connection, contextlib.suppress(OSError):
            speak(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join(_PATIENCE_SECONDS)


def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


def head_of(connection: socket.socket) -> bytes:
    """A request as far as its empty line."""
    read = b""
    while not read.endswith(b"\r\n\r\n") and (more := connection.recv(1)):
        read += more
    return read


def saying(answer: bytes) -> Speak:
    """Reads a request and answers that."""

    def speak(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(answer)

    return speak


def answer(
    status: str = "401 Unauthorized", body: bytes = _REFUSAL, **headers: str
) -> bytes:
    """An HTTP answer; a portal's to an unsigned request if nothing is said."""
    fields = {"Content-Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def encrypted(context: ssl.SSLContext, speak: Speak) -> Speak:
    """The same inside TLS."""

    def speak_inside(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            speak(inside)

    return speak_inside


def tunnel_to(port: int, seen: list[bytes]) -> Speak:
    """A proxy that lets CONNECT through and notes what it was asked."""

    def speak(connection: socket.socket) -> None:
        seen.append(head_of(connection))
        with socket.create_connection(("127.0.0.1", port)) as onward:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, connection))
            back.start()
            _pump(connection, onward)
            back.join(_PATIENCE_SECONDS)

    return speak


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)

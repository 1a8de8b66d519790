"""Signed HTTP requests to the portal.

The only module that speaks HTTP, but for the probe, which only looks who answers.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
import urllib3.exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.link_frames import PART_BYTES, Configure, Exchange
from client_agent.protocol import WORK_HEADER, auth, codec
from client_agent.protocol.errors import ErrorCode, Problem, ProtocolError

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 15
_KEPT_HEADERS = ("etag", "retry-after", "content-type", WORK_HEADER.lower())
_TIME_CODES = (ErrorCode.CLOCK_WRONG.value, ErrorCode.TOKEN_EXPIRED.value)
_SYSTEM_CAS = Path("/etc/ssl/certs/ca-certificates.crt")


class TransportError(Exception):
    """No whole answer; `code` is one that root passes on."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Response:
    """Head of an answer; the body comes in `parts` of at most PART_BYTES.

    `parts` raises TransportError when the rest does not come or is too long.
    """

    status: int
    headers: Mapping[str, str]
    parts: Iterator[bytes]


class Transport:
    """One portal, one identity. Used by several threads at once."""

    def __init__(self, configuration: Configure, key: Ed25519PrivateKey) -> None:
        self.configuration = configuration
        self._key = key
        self._clock_lock = threading.Lock()
        self._clock_offset = 0.0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = "citizenpc-link"
        self._session.headers["Accept-Encoding"] = "identity"
        self._session.verify = ca_file_of(configuration) or True
        if configuration.proxy is not None:
            self._session.proxies = {
                "http": configuration.proxy,
                "https": configuration.proxy,
            }

    @property
    def clock_offset_seconds(self) -> int:
        """The portal's clock minus this computer's, as far as it has told us."""
        with self._clock_lock:
            return round(self._clock_offset)

    def close(self) -> None:
        self._session.close()

    def perform(self, exchange: Exchange) -> Response:
        """Make the request; a wrong clock is learned and the request repeated once.

        Raises:
            TransportError: there is no answer.
        """
        response = self._request(exchange)
        if response.status_code == 401 and exchange.is_signed:
            body = b"".join(_parts(response, exchange, PART_BYTES))
            if not self.learn_clock(body):
                return _whole(response, body)
            response = self._request(exchange)
        return Response(
            status=response.status_code,
            headers=_kept(response),
            parts=_parts(response, exchange, exchange.limit),
        )

    def authorization(self, method: str, target: str, body: bytes) -> str:
        """Value of the Authorization header, for exactly this request.

        Raises:
            TransportError: ``not-enrolled``: the computer has no identity yet.
        """
        computer = self.configuration.computer
        if computer is None:
            raise TransportError(ErrorCode.NOT_ENROLLED.value)
        with self._clock_lock:
            now = int(time.time() + self._clock_offset)
        token = auth.make_token(
            self._key,
            computer=computer,
            audience=self.configuration.audience,
            method=method,
            target=target,
            body=body,
            now=max(0, now),
            jti=uuid.uuid4().hex,
        )
        return f"Bearer {token}"

    def learn_clock(self, body: bytes) -> bool:
        """Take the portal's time from a refusal; whether there was any in it."""
        try:
            problem = codec.decode(Problem, body)
        except ProtocolError:
            return False
        if problem.code not in _TIME_CODES or problem.server_time is None:
            return False
        with self._clock_lock:
            self._clock_offset = problem.server_time.timestamp() - time.time()
        return True

    def _request(self, exchange: Exchange) -> requests.Response:
        headers = dict(exchange.headers)
        if exchange.body:
            headers["Content-Type"] = "application/json"
        if exchange.is_signed:
            headers["Authorization"] = self.authorization(
                exchange.method, exchange.target, exchange.body
            )
        try:
            return self._session.request(
                exchange.method,
                self.configuration.portal + exchange.target,
                data=exchange.body or None,
                headers=headers,
                timeout=(_CONNECT_SECONDS, exchange.timeout_seconds),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _transport_error(error) from error
        except (OSError, ValueError) as error:  # a CA file that vanished, a bad URL
            raise TransportError("request-impossible", str(error)[:300]) from error


def ca_file_of(configuration: Configure) -> str | None:
    """The site's own certificates, or else the system's, if it has any."""
    if configuration.ca_file is not None:
        return configuration.ca_file
    return str(_SYSTEM_CAS) if _SYSTEM_CAS.is_file() else None


def _parts(
    response: requests.Response, exchange: Exchange, limit: int
) -> Iterator[bytes]:
    ends_at = time.monotonic() + exchange.timeout_seconds
    total = 0
    try:
        while part := response.raw.read(PART_BYTES, decode_content=False):
            total += len(part)
            if total > limit:
                raise TransportError(ErrorCode.BODY_TOO_LARGE.value, f"over {limit}")
            if time.monotonic() > ends_at:
                raise TransportError("portal-slow")
            yield part
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _transport_error(error) from error
    finally:
        response.close()


def _whole(response: requests.Response, body: bytes) -> Response:
    return Response(response.status_code, _kept(response), iter([body]))


def _kept(response: requests.Response) -> dict[str, str]:
    return {
        name: value
        for name in _KEPT_HEADERS
        if (value := response.headers.get(name)) is not None
        and len(value) <= 1000
        and value.isascii()
        and value.isprintable()
    }


def _transport_error(error: Exception) -> TransportError:
    code = "portal-unreachable"
    if isinstance(error, requests.exceptions.SSLError):
        code = "tls-untrusted"
    elif isinstance(error, requests.exceptions.ProxyError):
        code = "proxy-unreachable"
    elif isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        code = "portal-timeout"
    return TransportError(code, str(error)[:300])

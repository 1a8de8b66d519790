"""What every endpoint of the agents shares: limits, identity, scope, errors."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from redis.exceptions import RedisError

from admin_site.agent_api.authentication import (
    AgentIdentity,
    ComputerRevoked,
    authenticate,
)
from admin_site.agent_api.intake import ReportGap
from admin_site.agent_api.problems import CONTENT_TYPE, problem
from admin_site.computers import agent_cache
from admin_site.computers.models import Computer
from admin_site.core import clock
from admin_site.core.limits import LimitReached
from admin_site.core.permissions import Access
from admin_site.core.tenancy import scoped
from admin_site.jobs.progress import OutputGap
from client_agent.protocol import WORK_HEADER, codec, limits
from client_agent.protocol.errors import ErrorCode, ProtocolError

log = structlog.get_logger(__name__)

View = Callable[..., HttpResponse]
MESSAGE = "application/json"
UNAVAILABLE_SECONDS = 30

_FOR_NOW = (ErrorCode.RATE_LIMITED, ErrorCode.TEMPORARILY_UNAVAILABLE)

# A body that was cut off, or what PostgreSQL cannot hold, such as NUL in a text.
_UNREADABLE = (UnreadablePostError, RawPostDataException, DataError)


def public_endpoint(method: str) -> Callable[[View], View]:
    """An endpoint for computers that are not known yet."""

    def wrap(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def run(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return _answered(request, method, lambda: view(request, **kwargs))

        run.access = Access.PUBLIC  # type: ignore[attr-defined]
        return run

    return wrap


def agent_endpoint(
    method: str, *, limit: int = limits.BODY_BYTES
) -> Callable[[View], View]:
    """An endpoint that a computer's link key opens.

    The view gets the `Computer` and runs in the scope of its organisation.
    """

    def wrap(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def run(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            def inside() -> HttpResponse:
                _refuse_large(request, limit)
                now = clock.now()
                identity = authenticate(request, now=now)
                agent_cache.mark_seen(identity.uid, now=now)
                with scoped([identity.entry.organisation]):
                    computer = Computer.objects.for_computer(identity.uid).get()
                    response = view(request, computer, **kwargs)
                if identity.entry.work:
                    response.headers[WORK_HEADER] = identity.entry.work
                return response

            return _answered(request, method, inside)

        run.access = Access.AGENT  # type: ignore[attr-defined]
        return run

    return wrap


def message(answer: object, *, status: int = 200) -> HttpResponse:
    """`answer` as JSON."""
    return HttpResponse(codec.encode(answer), content_type=MESSAGE, status=status)


def _answered(
    request: HttpRequest, method: str, inside: Callable[[], HttpResponse]
) -> HttpResponse:
    try:
        if request.method != method:
            raise ProtocolError(ErrorCode.METHOD_NOT_ALLOWED, f"use {method}")
        _refuse_large(request, limits.BODY_BYTES)
        return inside()
    except ProtocolError as error:
        return _refusal(error)
    except _UNREADABLE as error:
        return _refusal(ProtocolError(ErrorCode.BODY_INVALID, type(error).__name__))
    except RequestDataTooBig:
        return _refusal(ProtocolError(ErrorCode.BODY_TOO_LARGE))
    except LimitReached as error:
        return _refusal(
            ProtocolError(ErrorCode.RATE_LIMITED), retry_seconds=error.seconds
        )
    except (DatabaseError, RedisError) as error:
        log.exception("agent-endpoint-failed", reason=type(error).__name__)
        return _refusal(ProtocolError(ErrorCode.TEMPORARILY_UNAVAILABLE))


def _refusal(
    error: ProtocolError, *, retry_seconds: int = UNAVAILABLE_SECONDS
) -> HttpResponse:
    is_clock = error.code is ErrorCode.CLOCK_WRONG
    status, body = problem(
        error.code,
        detail=error.detail,
        server_time=clock.now() if is_clock else None,
        offset=error.offset if isinstance(error, OutputGap | ReportGap) else None,
        signed=(
            _revocation_of(error.identity)
            if isinstance(error, ComputerRevoked)
            else None
        ),
    )
    response = HttpResponse(body, content_type=CONTENT_TYPE, status=status)
    if error.code in _FOR_NOW:
        response.headers["Retry-After"] = str(retry_seconds)
    return response


def _refuse_large(request: HttpRequest, limit: int) -> None:
    """By its declared length first; a body without one is read up to the limit."""
    try:
        declared = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        declared = 0
    if declared > limit or len(request.body) > limit:
        raise ProtocolError(ErrorCode.BODY_TOO_LARGE, f"more than {limit} bytes")


def _revocation_of(identity: AgentIdentity) -> bytes | None:
    with scoped([identity.entry.organisation]):
        signed = (
            Computer.objects.for_computer(identity.uid)
            .values_list("signed_revocation", flat=True)
            .first()
        )
    return bytes(signed) if signed else None

"""Middleware that every request meets."""

import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


class RequestIdMiddleware:
    """Gives each request an id that its log lines and audit events carry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class CacheDownMiddleware:
    """Says so when a page needs Valkey and it is away, as signing in does.

    Nothing is let through uncounted; people are asked to try again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        """503 with the page for it; any other error goes on."""
        if not isinstance(error, RedisError):
            return None
        log.warning("cache-unreachable", reason=type(error).__name__)
        response = render(request, "503.html", status=503)
        response.headers["Retry-After"] = "60"
        return response


def current_request_id() -> str:
    """The id of the request being served, empty outside of one."""
    value = structlog.contextvars.get_contextvars().get("request_id", "")
    return str(value)

"""Logs hold what they may hold: allowed keys, never people's data or query strings."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from admin_site.config.logging import ALLOWED_KEYS, keep_allowed
from admin_site.core.middleware import RequestIdMiddleware, current_request_id
from tests.admin_site.backend_objects import send

PHONE = "+4512345678"
keys = st.sampled_from(sorted(ALLOWED_KEYS)) | st.text(max_size=12)


@pytest.fixture
def lines() -> Any:
    """What the handler that settings install would write, line by line."""
    handler = next(
        each
        for each in logging.getLogger().handlers
        if isinstance(each.formatter, structlog.stdlib.ProcessorFormatter)
    )
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    previous = handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    handler.setStream(previous or sys.stderr)


@given(st.dictionaries(keys, st.text(), max_size=8))
def test_only_allowed_keys_are_kept_unchanged(event: dict[str, str]) -> None:
    kept = keep_allowed(None, "info", dict(event))
    assert kept == {key: event[key] for key in event if key in ALLOWED_KEYS}


def test_keys_that_could_name_somebody_are_not_allowed() -> None:
    assert ALLOWED_KEYS.isdisjoint(
        {"email", "name", "user", "phone", "number", "query", "query_string", "url"}
        | {"ip", "remote_addr", "host_name", "arguments", "secret", "token", "body"}
    )


def test_a_structured_line_loses_what_nobody_allowed(lines: Any) -> None:
    log = structlog.get_logger("admin_site.test")
    log.warning("visit-refused", phone=PHONE, query=f"?number={PHONE}", code="full")
    (line,) = lines()
    assert line["event"] == "visit-refused"
    assert line["code"] == "full"
    assert line["level"] == "warning"
    assert PHONE not in json.dumps(line)


def test_a_line_of_a_library_loses_its_extras(lines: Any) -> None:
    logging.getLogger("some.library").error(
        "It failed", extra={"phone": PHONE, "code": "lost"}
    )
    (line,) = lines()
    assert line["event"] == "It failed"
    assert PHONE not in json.dumps(line)


def test_values_bound_to_the_context_are_filtered_too(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(phone=PHONE, request_id="r1"):
        structlog.get_logger("admin_site.test").warning("something")
    (line,) = lines()
    assert line["request_id"] == "r1"
    assert PHONE not in json.dumps(line)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/agent/v1/orders", "/no/such/page"])
def test_a_refused_request_is_logged_without_its_query(lines: Any, path: str) -> None:
    response = send("GET", f"{path}?number={PHONE}")
    assert response.status_code in (401, 404)
    assert any(path in line["event"] for line in lines())
    assert PHONE not in json.dumps(lines())
    assert "number=" not in json.dumps(lines())


@pytest.mark.django_db
def test_each_answer_carries_an_id_of_its_own() -> None:
    first, second = (
        send("GET", "/agent/v1/orders").headers["X-Request-Id"] for _each in range(2)
    )
    assert len(first) == 32
    assert first != second
    assert current_request_id() == ""


def test_the_id_is_known_while_the_request_is_served() -> None:
    from django.http import HttpRequest, HttpResponse

    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current_request_id())
        return HttpResponse()

    response = RequestIdMiddleware(view)(HttpRequest())
    assert seen == [response.headers["X-Request-Id"]]

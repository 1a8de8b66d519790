"""Structured logs: one JSON object a line, with only the keys named here."""

import logging
import logging.config
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

ALLOWED_KEYS = frozenset(
    {
        "event",
        "level",
        "logger",
        "timestamp",
        "exception",
        "code",
        "computer",
        "count",
        "digest",
        "duration_ms",
        "job",
        "kind",
        "method",
        "organisation",
        "path",
        "process",
        "reason",
        "request_id",
        "revision",
        "run",
        "seal",
        "status",
        "task",
    }
)


def keep_allowed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop every key that is not on the list: names and numbers stay out of logs."""
    return {key: value for key, value in event.items() if key in ALLOWED_KEYS}


def configure(*, level: str, is_debug: bool) -> None:
    """Send structlog and the standard library's logs to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if is_debug
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        keep_allowed,
                        renderer,
                    ],
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "structured",
                }
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # These write whole request lines, query strings included.
                "daphne.access": {"level": "WARNING"},
                "django.channels.server": {"level": "WARNING"},
                "procrastinate": {"level": "WARNING"},
            },
        }
    )

"""Hints over the WebSocket; content always moves over HTTP."""

import enum

import msgspec


class Hint(str, enum.Enum):
    STATE = "state"
    JOBS = "jobs"
    ORDERS = "orders"
    CLOSE = "close"


class Nudge(msgspec.Struct, frozen=True):
    """The only message on ``/agent/v1/socket``, portal to computer."""

    nudge: Hint

"""What a computer and the portal say to each other, defined once for both sides.

Wire types are ``msgspec.Struct``s; JSON on the wire, bytes as base64. This package
imports nothing else of CitizenPC, so that both sides can import all of it.
"""

PROTOCOL_VERSION = 1
"""Version that this side speaks; the portal serves this one and the one before."""

API_PREFIX = "/agent/v1"

WORK_HEADER = "CitizenPC-Work"
"""In the answer to ``GET state``: what waits, of ``jobs`` and ``orders``, or absent.

A hint like a nudge, so that who has no socket asks for work only when there is some.
"""

"""This agent."""

import platform

from client_agent.protocol import PROTOCOL_VERSION
from client_agent.protocol.types import Json

AGENT_VERSION = "0.1.0"


def agent(product: str) -> Json:
    """Versions of the agent, its protocol and its Python."""
    return {
        "version": AGENT_VERSION,
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "product": product,
    }

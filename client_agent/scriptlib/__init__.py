"""What a library script in Python uses on the computer.

A script begins with ``#!/usr/lib/citizenpc/python``. That path exists on an installed
computer only; whoever starts a script (the agent's runner, the tests) resolves the
line with `client_agent.scriptlib.interpreter.argv_for` and sets the environment of
`env_for`. Besides this package a script may import the standard library, no more.

The lines that a script prints are for people, in English; its last line is a JSON
object that becomes the job's fields. Exit status 0 means done, 1 failed, 2 that its
arguments were refused.
"""

from client_agent.scriptlib.given import (
    boolean,
    integer,
    localised_text,
    parameters,
    secret,
    string,
)
from client_agent.scriptlib.output import fail, result, say, size_text, warn
from client_agent.scriptlib.paths import machine, read_text, root
from client_agent.scriptlib.process import Finished, has_program, run
from client_agent.scriptlib.sessions import LoginSession, login_sessions

__all__ = [
    "Finished",
    "LoginSession",
    "boolean",
    "fail",
    "has_program",
    "integer",
    "localised_text",
    "login_sessions",
    "machine",
    "parameters",
    "read_text",
    "result",
    "root",
    "run",
    "say",
    "secret",
    "size_text",
    "string",
    "warn",
]

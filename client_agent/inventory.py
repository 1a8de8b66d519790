"""Telling the portal what this computer is: only what changed."""

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from client_agent.background import in_thread
from client_agent.host.files import read_or_none, write_atomically
from client_agent.portal import Portal, PortalError
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.facts import FactsRequest, facts_digest
from client_agent.protocol.types import Json, Uid

log = logging.getLogger(__name__)

Facts = dict[str, Json]


class _Told(msgspec.Struct, frozen=True):
    computer: Uid
    facts: Facts


class Inventory:
    """Sends the facts that `collect` gives, called in a thread."""

    def __init__(
        self,
        path: Path,
        portal: Portal,
        *,
        computer: Uid,
        collect: Callable[[], Facts],
    ) -> None:
        self._path = path
        self._portal = portal
        self._computer = computer
        self._collect = collect

    async def send(self) -> None:
        """Send what changed since the portal took the facts last.

        Raises:
            LinkError, PortalError: it did not take them.
        """
        told, facts = self._told(), await in_thread(self._collect)
        if told == facts:
            return
        whole = FactsRequest(changed=facts, digest=facts_digest(facts), replaces=True)
        if len(codec.encode(whole)) > limits.FACTS_BYTES:
            log.error("the facts are too large to be sent")
            return
        try:
            await self._portal.send_facts(_difference(told, facts) if told else whole)
        except PortalError as error:
            if error.code != ErrorCode.FACTS_DIGEST_WRONG.value or not told:
                raise
            await self._portal.send_facts(whole)
        data = msgspec.json.encode(_Told(self._computer, facts))
        write_atomically(self._path, data, mode=0o600)

    def _told(self) -> Facts:
        """What the portal has; nothing after damage, so that all is sent again."""
        raw = read_or_none(self._path)
        if raw is None:
            return {}
        try:
            told = msgspec.json.decode(raw, type=_Told)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return told.facts if told.computer == self._computer else {}


def _difference(before: Facts, after: Facts) -> FactsRequest:
    changed: Facts = {k: v for k, v in after.items() if before.get(k) != v}
    changed.update({key: None for key in before if key not in after})
    return FactsRequest(changed=changed, digest=facts_digest(after))

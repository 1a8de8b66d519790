"""The layers between this computer and its portal, for ``doctor``.

The root half does not look itself: a short-lived process of link's user does, and all
that is read here are its few lines.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from client_agent import peer
from client_agent.config import Config
from client_agent.finding import Finding
from client_agent.host.errors import HostError
from client_agent.host.process import output_of
from client_agent.link_frames import Configure
from client_agent.network_layers import (
    OBSERVATIONS_BYTES,
    Certificate,
    Layer,
    Observation,
)
from client_agent.network_texts import said_of
from client_agent.paths import Paths
from client_agent.texts import _, ngettext

_PROBE_SECONDS = 60.0
_CLOCK_SECONDS = 60
_DAY_SECONDS = 24 * 3600
_TIME_CODES = ("tls-expired", "tls-not-yet-valid")
_PROGRAM = Path(__file__).resolve().parent.parent

Observations = Mapping[Layer, Observation]


def look(paths: Paths, config: Config) -> Observations:
    """What the probe saw, by layer, until it failed or its time was over."""
    way = Configure(
        portal=config.portal,
        audience=config.portal,
        ca_file=config.ca_file,
        proxy=config.proxy,
    )
    try:
        written = output_of(
            [sys.executable, "-m", "client_agent.link.probe"],
            stdin=msgspec.json.encode(way),
            cwd=_PROGRAM,
            user=(
                peer.expected_link_uid(paths.root),
                peer.expected_link_gid(paths.root),
            ),
            seconds=_PROBE_SECONDS,
            most_bytes=OBSERVATIONS_BYTES,
        )
    except HostError:
        return {}
    return observations_of(written)


def observations_of(written: bytes) -> Observations:
    """The lines that make sense, up to the first that does not."""
    found: dict[Layer, Observation] = {}
    for line in written.splitlines():
        try:
            observation = msgspec.json.decode(line, type=Observation)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            break
        found[observation.layer] = observation
    return found


def layers_of(config: Config | None) -> Sequence[Layer]:
    """The layers that matter for this configuration."""
    has_proxy = config is not None and config.proxy is not None
    return [layer for layer in Layer if has_proxy or layer is not Layer.PROXY]


def findings_of(config: Config | None, seen: Observations) -> Sequence[Finding]:
    """One for each layer; those above one that failed were not tried."""
    findings = []
    has_failed = config is None
    for layer in layers_of(config):
        observation = seen.get(layer)
        if has_failed:
            findings.append(not_tried(layer.value, title_of(layer)))
        elif observation is None:
            findings.append(_given_up(layer))
            has_failed = True
        else:
            findings.append(_finding(observation, config, seen))
            has_failed = bool(observation.code)
    return findings


def not_tried(check: str, title: str) -> Finding:
    """What stands on something that failed."""
    return Finding(check, title, False, is_tried=False)


def clock_finding(
    seen: Observations, *, learned: int | None, now: datetime, built_at: datetime
) -> Finding:
    """The clock against all that is known: `learned` is what the agent's portal told.

    A portal whose certificate is refused is asked for its time as well, because a wrong
    clock is a reason to refuse it.
    """
    title = _("Clock")
    advice = _("Set the clock, or have it set over the network (NTP).")
    if now < built_at:
        detail = _("it is earlier than this program was made")
        return Finding("clock", title, False, detail, advice)
    told = [
        seen[layer].clock_offset_seconds
        for layer in (Layer.ANSWER, Layer.TLS)
        if layer in seen
    ]
    known = [seconds for seconds in (*told, learned) if seconds is not None]
    if not known:
        return not_tried("clock", title)
    worst = max(known, key=abs)
    if abs(worst) > _CLOCK_SECONDS:
        return Finding("clock", title, False, _difference(worst), advice)
    return Finding("clock", title, True)


def _difference(seconds: int) -> str:
    if abs(seconds) < 2 * _DAY_SECONDS:
        if seconds > 0:
            return _("{seconds} s behind the portal").format(seconds=seconds)
        return _("{seconds} s ahead of the portal").format(seconds=-seconds)
    days = abs(seconds) // _DAY_SECONDS
    if seconds > 0:
        text = ngettext(
            "{days} day behind the portal", "{days} days behind the portal", days
        )
    else:
        text = ngettext(
            "{days} day ahead of the portal", "{days} days ahead of the portal", days
        )
    return text.format(days=days)


def title_of(layer: Layer) -> str:
    """What people call a layer."""
    return {
        Layer.NAME: _("Name lookup (DNS)"),
        Layer.CONNECT: _("Connection (TCP)"),
        Layer.PROXY: _("Proxy"),
        Layer.TLS: _("Encryption (TLS)"),
        Layer.ANSWER: _("Portal"),
    }[layer]


def _finding(
    observation: Observation, config: Config | None, seen: Observations
) -> Finding:
    layer = observation.layer
    title = title_of(layer)
    if not observation.code:
        return Finding(layer.value, title, True, _well(observation, config))
    said, advice = said_of(observation.code)
    said = said.format(detail=_shown(observation.detail))
    detail = f"{observation.code}: {said}"
    if observation.certificate is not None:
        detail = f"{detail}; {_certificate(observation.certificate)}"
    offset = observation.clock_offset_seconds
    if observation.code in _TIME_CODES and abs(offset or 0) > _DAY_SECONDS:
        advice = _("Set the clock first: a wrong one makes good certificates invalid.")
    return Finding(layer.value, title, False, detail, advice)


def _well(observation: Observation, config: Config | None) -> str:
    if observation.certificate is not None:
        return _certificate(observation.certificate)
    is_plain = config is not None and config.portal.startswith("http:")
    if observation.layer is Layer.TLS and is_plain:
        return _("none: this computer's own address")
    return _shown(observation.detail)


def _certificate(certificate: Certificate) -> str:
    issuer = _shown(certificate.issuer) or "?"
    until = certificate.valid_until.date().isoformat()
    return _("certificate issued by {issuer}, valid until {until}").format(
        issuer=issuer, until=until
    )


def _given_up(layer: Layer) -> Finding:
    detail, advice = said_of("probe-failed")
    return Finding(layer.value, title_of(layer), False, detail, advice)


def _shown(text: str) -> str:
    """Text of others, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)

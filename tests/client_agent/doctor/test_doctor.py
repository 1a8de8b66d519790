"""What ``doctor`` says of the network, from what its probe wrote."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent import cli
from client_agent.config import Config, save_config
from client_agent.doctor import advice_for
from client_agent.doctor_network import (
    clock_finding,
    findings_of,
    look,
    observations_of,
)
from client_agent.network_layers import Layer, Observation
from client_agent.network_texts import said_of
from client_agent.paths import Paths
from tests.client_agent.doctor.servers import (
    Authority,
    answer,
    encrypted,
    saying,
    server,
    unused_port,
)

NOW = datetime.now(UTC)
DAY = 24 * 3600


def doctor(
    root: Path, capsys: pytest.CaptureFixture[str], **config: Any
) -> dict[str, Any]:
    """Findings of the command, by check, in their order."""
    save_config(Paths(root).config, Config(**config))
    assert cli.main(["doctor", "--json", "--root", str(root)]) == 1
    findings = json.loads(capsys.readouterr().out)
    return {finding["check"]: finding for finding in findings}


def states(findings: Mapping[str, Any]) -> dict[str, str]:
    return {
        check: "well" if f["is_well"] else "trouble" if f["is_tried"] else "not tried"
        for check, f in findings.items()
    }


def test_above_what_fails_nothing_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portal = f"https://127.0.0.1:{unused_port()}"
    found = doctor(tmp_path, capsys, portal=portal)
    assert states(found) == {
        "configuration": "well",
        "keys": "trouble",
        "name": "well",
        "connect": "trouble",
        "clock": "not tried",
        "tls": "not tried",
        "answer": "not tried",
        "link": "trouble",
        "key": "not tried",
        "enrolment": "trouble",
    }
    assert "connect-refused" in found["connect"]["detail"]
    assert found["connect"]["advice"]


def test_a_wrong_clock_is_said_before_tls_is_blamed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path, "Norrby")
    later = NOW + timedelta(days=4000)
    context = authority.context(since=later - timedelta(days=1))
    dated = answer(Date=format_datetime(later, usegmt=True))
    with server(encrypted(context, saying(dated))) as port:
        found = doctor(
            tmp_path / "root",
            capsys,
            portal=f"https://127.0.0.1:{port}",
            ca_file=str(authority.file),
        )
    assert "days behind" in found["clock"]["detail"]
    assert "clock first" in found["tls"]["advice"]
    assert list(found).index("clock") < list(found).index("tls")
    assert states(found)["answer"] == "not tried"


def test_the_firewall_s_name_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path, "Norrby Firewall AB\x1b[2J")
    with server(encrypted(authority.context(), saying(answer()))) as port:
        found = doctor(tmp_path / "root", capsys, portal=f"https://127.0.0.1:{port}")
    assert "issued by Norrby Firewall AB?[2J, Root" in found["tls"]["detail"]
    assert "--ca-file" in found["tls"]["advice"]


def test_the_proxy_is_a_layer_and_its_password_is_not_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(saying(answer("407 Login"))) as port:
        proxy = f"http://anna:geheim@127.0.0.1:{port}"
        found = doctor(tmp_path, capsys, portal="https://p.example", proxy=proxy)
    assert states(found)["connect"] == "well"
    assert states(found)["proxy"] == "trouble"
    assert "login" in found["proxy"]["advice"]
    assert "geheim" not in json.dumps(found)


def test_a_portal_of_this_computer_needs_no_tls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(saying(answer())) as port:
        found = doctor(tmp_path, capsys, portal=f"http://127.0.0.1:{port}")
    assert states(found)["tls"] == states(found)["answer"] == "well"
    assert found["answer"]["detail"] == "HTTP 401 not-enrolled"


def test_a_probe_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client_agent.doctor_network._PROBE_SECONDS", 0.01)
    config = Config(portal="https://127.0.0.1:9")
    seen = look(Paths(tmp_path), config)
    assert seen == {}
    (first, *others) = findings_of(config, seen)
    assert first.is_tried
    assert not first.is_well
    assert not any(finding.is_tried for finding in others)


@given(st.binary(max_size=400))
def test_root_survives_whatever_the_probe_writes(written: bytes) -> None:
    findings_of(Config(portal="https://p.example"), observations_of(written))


@pytest.mark.parametrize(
    "line",
    [
        b'{"layer": "roof"}',
        b'{"layer": "name", "code": "{0}"}',
        b'{"layer": "name", "detail": "%s"}' % (b"x" * 301),
        b'{"layer": "answer", "clock_offset_seconds": 1e300}',
    ],
)
def test_lines_out_of_bounds_end_the_reading(line: bytes) -> None:
    written = line + b'\n{"layer": "connect"}\n'
    assert observations_of(written) == {}


def test_a_detail_is_text_and_no_template() -> None:
    seen = {Layer.NAME: Observation(Layer.NAME, "name-unknown", "{0}{detail}\n")}
    finding = findings_of(Config(portal="https://p.example"), seen)[0]
    assert finding.detail.endswith("{0}{detail}?")


@pytest.mark.parametrize(
    ("told", "learned", "said"),
    [
        (3, 0, ""),
        (3, None, ""),
        (-90, None, "90 s ahead"),
        (0, 3600, "3600 s behind"),
        (-2 * DAY, None, "2 days ahead"),
        (4000 * DAY, 5, "4000 days behind"),
    ],
)
def test_how_wrong_the_clock_is(told: int, learned: int | None, said: str) -> None:
    seen = {Layer.ANSWER: Observation(Layer.ANSWER, clock_offset_seconds=told)}
    finding = clock_finding(seen, learned=learned, now=NOW, built_at=NOW)
    assert finding.is_well is not bool(said)
    assert said in finding.detail


def test_a_clock_before_the_program_was_made_needs_no_portal() -> None:
    finding = clock_finding({}, learned=None, now=NOW - timedelta(1), built_at=NOW)
    assert finding.is_tried
    assert "earlier than this program" in finding.detail


def test_unknown_codes_have_an_advice() -> None:
    assert said_of("something-new")[1]
    assert advice_for("something-new")
    assert "enrol" in advice_for("token-invalid")

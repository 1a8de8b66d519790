"""Commands: what they write, say and end with."""

import json
from pathlib import Path

import pytest

from client_agent import cli
from client_agent.config import Config, ConfigError, check_config, load_config
from client_agent.enrol import Stage, load_enrolment
from client_agent.paths import Paths

FINGERPRINT = "A" * 43
TOKEN = f"aSecretOfStaff.{FINGERPRINT}"


def enrol(root: Path, portal: str = "https://portal.example", *more: str) -> int:
    arguments = ["enrol", "--portal", portal, "--token", TOKEN, "--root", str(root)]
    return cli.main([*arguments, *more])


def test_enrol_writes_configuration_and_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enrol(tmp_path, "https://Portal.example:443/", "--product", "kiosk") == 0
    paths = Paths(tmp_path)
    assert load_config(paths.config).portal == "https://portal.example"
    enrolment = load_enrolment(paths.enrolment)
    assert enrolment is not None
    assert enrolment.stage is Stage.WANTED
    assert (enrolment.fingerprint, enrolment.token_secret) == (
        FINGERPRINT,
        "aSecretOfStaff",
    )
    assert paths.enrolment.stat().st_mode & 0o777 == 0o600
    assert "citizenpc-agent run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("portal", "code"),
    [
        ("http://portal.example", "portal-insecure"),
        ("ftp://portal.example", "portal-invalid"),
        ("https://portal.example/path", "portal-invalid"),
        ("https://user@portal.example", "portal-invalid"),
        ("https://portal.example:99999", "portal-invalid"),
        ("portal.example", "portal-invalid"),
    ],
)
def test_wrong_portals_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], portal: str, code: str
) -> None:
    assert enrol(tmp_path, portal) == 78
    assert code in capsys.readouterr().err
    assert not Paths(tmp_path).config.exists()


@pytest.mark.parametrize("token", ["", "x", "short.A", "has space.", TOKEN[:-1]])
def test_wrong_tokens_are_told(tmp_path: Path, token: str) -> None:
    arguments = ["enrol", "--portal", "https://p.example", "--token", token]
    assert cli.main([*arguments, "--root", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--proxy", "nonsense"], "proxy-invalid"),
        (["--ca-file", "/nowhere.pem"], "ca-file-missing"),
    ],
)
def test_wrong_ways_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: str
) -> None:
    assert enrol(tmp_path, "https://portal.example", *options) == 78
    assert code in capsys.readouterr().err


def test_loopback_needs_no_certificate() -> None:
    for name in ("127.0.0.1:8000", "[::1]:8000", "localhost:8000"):
        config = Config(portal=f"http://{name}")
        assert check_config(config).portal == f"http://{name}"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"portal": 1}', b"\xff"])
def test_damaged_configuration_says_what_to_do(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.code == "config-invalid"
    assert caught.value.hint


def test_status_without_an_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", "--root", str(tmp_path)]) == 1
    assert "agent-stopped" in capsys.readouterr().err


def test_doctor_names_each_trouble_and_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    titles = ["Configuration", "Keys", "Agent and link", "Enrolment"]
    places = [said.index(f"{title}: TROUBLE") for title in titles]
    assert places == sorted(places)
    assert "Portal: not tried" in said
    assert "citizenpc-agent enrol" in said


def test_damaged_enrolment_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol(tmp_path)
    Paths(tmp_path).enrolment.write_text("{")
    assert cli.main(["doctor", "--root", str(tmp_path)]) == 1
    assert "enrolment-damaged" in capsys.readouterr().out
    assert enrol(tmp_path) == 0


def test_configuration_is_plain_json(tmp_path: Path) -> None:
    enrol(tmp_path, "https://portal.example", "--proxy", "http://proxy.example:3128")
    written = json.loads(Paths(tmp_path).config.read_bytes())
    assert written == {
        "portal": "https://portal.example",
        "product": "desktop",
        "proxy": "http://proxy.example:3128",
    } or written == {
        "portal": "https://portal.example",
        "proxy": "http://proxy.example:3128",
    }

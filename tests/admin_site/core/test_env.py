"""Settings from the environment: what is missing is named, files are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from admin_site.config.env import Env, EnvironmentInvalid, load, with_files

COMPLETE = {
    "DATABASE_URL": "postgresql://app:secret@db.example/citizenpc",
    "REDIS_URL": "redis://cache.example/0",
    "CITIZENPC_SECRET_KEY": "s" * 40,
    "CITIZENPC_ORIGIN": "https://portal.example",
    "CITIZENPC_BLOB_DIR": "/srv/blobs",
}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test gives counts."""
    for field in Env.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
        monkeypatch.delenv(f"{field.alias}_FILE", raising=False)


def test_a_complete_environment_is_typed() -> None:
    env = load({**COMPLETE, "CITIZENPC_DEBUG": "1", "CITIZENPC_POOL_SIZE": "3"})
    assert env.blob_dir == Path("/srv/blobs")
    assert env.debug is True
    assert env.pool_size == 3
    assert env.master_key_file is None
    assert env.secret_key.get_secret_value() == "s" * 40
    assert "s" * 40 not in repr(env)


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_each_missing_variable_is_named_and_no_other(name: str) -> None:
    given = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(EnvironmentInvalid) as caught:
        load(given)
    assert name in str(caught.value)
    for other in COMPLETE.keys() - {name}:
        assert other not in str(caught.value)


def test_nothing_at_all_names_everything() -> None:
    with pytest.raises(EnvironmentInvalid) as caught:
        load({})
    for name in COMPLETE:
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///here.db"),
        ("CITIZENPC_SECRET_KEY", "short"),
        ("CITIZENPC_ORIGIN", "portal.example"),
        ("CITIZENPC_ORIGIN", "ftp://portal.example"),
        ("CITIZENPC_POOL_SIZE", "0"),
        ("CITIZENPC_POOL_SIZE", "many"),
        ("CITIZENPC_POLL_SECONDS", "0"),
        ("CITIZENPC_DEBUG", "perhaps"),
        ("CITIZENPC_TRUSTED_PROXIES", "10.0.0.1, proxy.example"),
        ("CITIZENPC_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CITIZENPC_ENROLMENTS_PER_MINUTE", "0"),
        ("CITIZENPC_SIGN_IN_FAILURES_PER_ACCOUNT", "-1"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(EnvironmentInvalid) as caught:
        load({**COMPLETE, name: value})
    assert name in str(caught.value)
    if name == "CITIZENPC_SECRET_KEY":
        assert value not in str(caught.value)


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_each_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_text(COMPLETE[name] + "\n", encoding="utf-8")
    given = {key: value for key, value in COMPLETE.items() if key != name}
    env = load({**given, f"{name}_FILE": str(file)})
    assert env == load(COMPLETE)


def test_a_variable_wins_over_its_file(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    values = with_files({"REDIS_URL": "redis://here", "REDIS_URL_FILE": absent})
    assert values["REDIS_URL"] == "redis://here"


def test_the_master_key_file_is_not_read_here(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    env = load({**COMPLETE, "CITIZENPC_MASTER_KEY_FILE": str(file)})
    assert env.master_key_file == file


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "absent"
    with pytest.raises(EnvironmentInvalid, match="CITIZENPC_SECRET_KEY_FILE") as caught:
        load({**COMPLETE_WITHOUT_KEY, "CITIZENPC_SECRET_KEY_FILE": str(file)})
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00 not text", None])
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "value"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(EnvironmentInvalid, match="CITIZENPC_SECRET_KEY_FILE") as caught:
        load({**COMPLETE_WITHOUT_KEY, "CITIZENPC_SECRET_KEY_FILE": str(file)})
    assert "not text" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "extra", "expected"),
    [
        ("https://portal.example", "", ("https://portal.example",)),
        ("https://portal.example/", "", ("https://portal.example",)),
        ("http://127.0.0.1:8000", "", ("http://127.0.0.1:8000",)),
        (
            "https://portal.example",
            " https://old.example/ ,, https://x.example:444",
            (
                "https://portal.example",
                "https://old.example",
                "https://x.example:444",
            ),
        ),
    ],
)
def test_origins_have_no_slash_and_the_main_one_is_first(
    origin: str, extra: str, expected: tuple[str, ...]
) -> None:
    env = load(
        {**COMPLETE, "CITIZENPC_ORIGIN": origin, "CITIZENPC_EXTRA_ORIGINS": extra}
    )
    assert env.origins == expected


def test_limits_may_be_changed_and_proxies_named() -> None:
    env = load(
        {
            **COMPLETE,
            "CITIZENPC_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8 ,2001:db8::/48,",
            "CITIZENPC_ENROLMENTS_PER_MINUTE": "500",
        }
    )
    assert [str(each) for each in env.trusted_proxies] == [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "2001:db8::/48",
    ]
    assert env.enrolments_per_minute == 500
    assert load({**COMPLETE, "CITIZENPC_TRUSTED_PROXIES": ""}).trusted_proxies == ()


def test_what_is_given_is_not_mixed_with_the_process_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITIZENPC_SECRET_KEY", "from the process" * 4)
    with pytest.raises(EnvironmentInvalid, match="CITIZENPC_SECRET_KEY"):
        load(COMPLETE_WITHOUT_KEY)


def test_without_an_argument_the_process_environment_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    assert load() == load(COMPLETE)
    assert os.environ["CITIZENPC_ORIGIN"] == COMPLETE["CITIZENPC_ORIGIN"]


COMPLETE_WITHOUT_KEY = {
    key: value for key, value in COMPLETE.items() if key != "CITIZENPC_SECRET_KEY"
}

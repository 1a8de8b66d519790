import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.host.errors import FeatureAbsent, HostError
from client_agent.host.originals import OwnedFiles
from client_agent.protocol.reports import Compliance
from client_agent.protocol.types import Json
from client_agent.reconcile import Context, Outcome, reconcile
from client_agent.settings import SCHEMAS, SettingSchema
from client_agent.settings.browser_start_pages.handler import CHROMIUM, FIREFOX
from client_agent.settings.handling import Change, Handler, load_handler
from tests.client_agent.host.power_cut import unreliable_disk
from tests.client_agent.host.trees import Node, describe, make

SLUG = "browser-start-pages"
WANTED: dict[str, Json] = {SLUG: {"start_pages": ["http://a/"]}}
OTHERWISE: dict[str, Json] = {SLUG: {"start_pages": ["http://b/"]}}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    make(tmp_path, {"etc": Node("directory", 0o755)})
    return Context(tmp_path, "desktop")


def only(outcomes: Sequence[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def status(outcomes: Sequence[Outcome]) -> tuple[Compliance, str]:
    outcome = only(outcomes)
    return outcome.status, outcome.code


COMPLIANT = (Compliance.COMPLIANT, "")
REMOVED = (Compliance.REMOVED, "")
MENDED = (Compliance.MENDED, "changed-from-outside")


def test_applied_changed_kept_and_removed(context: Context) -> None:
    before = describe(context.root)
    for wanted in (WANTED, WANTED, OTHERWISE, OTHERWISE):
        assert status(reconcile(wanted, context=context)) == COMPLIANT
        pages = wanted[SLUG]["start_pages"]  # type: ignore[call-overload,index]
        text = (context.root / FIREFOX).read_text()
        assert all(page in text for page in pages)
    assert status(reconcile({}, context=context)) == REMOVED
    assert describe(context.root) == before
    assert reconcile({}, context=context) == []


def test_nothing_is_written_when_nothing_changed(context: Context) -> None:
    reconcile(WANTED, context=context)
    with unreliable_disk(context.root / "graveyard") as disk:
        reconcile(WANTED, context=context)
    assert disk.steps == 0


@pytest.mark.parametrize("change", ["rewritten", "deleted", "opened", "linked"])
def test_drift_is_mended_and_told_once(context: Context, change: str) -> None:
    reconcile(WANTED, context=context)
    wanted = describe(context.root)
    path = context.root / FIREFOX
    if change == "rewritten":
        path.write_text("{}")
    elif change == "opened":
        path.chmod(0o666)
    else:
        path.unlink()
    if change == "linked":
        path.symlink_to("/etc/passwd")

    outcome = only(reconcile(WANTED, context=context))

    assert (outcome.status, outcome.code) == MENDED
    assert outcome.detail == f"/{FIREFOX}"
    assert describe(context.root) == wanted
    assert status(reconcile(WANTED, context=context)) == COMPLIANT


def test_drift_and_a_new_value_at_once(context: Context) -> None:
    reconcile(WANTED, context=context)
    (context.root / CHROMIUM[0]).write_text("{}")
    assert status(reconcile(OTHERWISE, context=context)) == MENDED
    assert status(reconcile(OTHERWISE, context=context)) == COMPLIANT


def test_a_foreign_change_is_told_at_the_removal(context: Context) -> None:
    reconcile(WANTED, context=context)
    (context.root / FIREFOX).write_text("{}")
    assert status(reconcile({}, context=context)) == (
        Compliance.REMOVED,
        "changed-from-outside",
    )
    assert not (context.root / "etc/firefox").exists()


def test_an_unknown_setting_is_not_applicable(context: Context) -> None:
    outcomes = reconcile({"from-the-future": 1, **WANTED}, context=context)
    assert [(o.setting, o.status, o.code) for o in outcomes] == [
        (SLUG, *COMPLIANT),
        ("from-the-future", Compliance.NOT_APPLICABLE, "setting-unknown"),
    ]


@pytest.mark.parametrize("is_named", [True, False])
def test_an_earlier_version_s_setting_goes_without_its_handler(
    context: Context, is_named: bool
) -> None:
    before = describe(context.root)
    OwnedFiles(context.root, "from-the-past").put("etc/past/file", b"x")
    wanted: dict[str, Json] = {"from-the-past": 1} if is_named else {}

    outcome = only(reconcile(wanted, context=context))

    expected = Compliance.NOT_APPLICABLE if is_named else Compliance.REMOVED
    assert outcome.status is expected
    assert describe(context.root) == before


def test_a_setting_of_another_product(context: Context) -> None:
    reconcile(WANTED, context=context)
    kiosk = replace(context, product="kiosk")
    assert status(reconcile(WANTED, context=kiosk)) == (
        Compliance.NOT_APPLICABLE,
        "product-unsupported",
    )
    assert not (context.root / FIREFOX).exists()


def test_an_invalid_value_names_its_place_and_changes_nothing(
    context: Context,
) -> None:
    reconcile(WANTED, context=context)
    before = describe(context.root)

    outcome = only(reconcile({SLUG: {"start_pages": [3]}}, context=context))

    assert (outcome.status, outcome.code) == (Compliance.FAILED, "value-invalid")
    assert "$.start_pages[0]" in outcome.detail
    assert describe(context.root) == before


def test_a_link_into_the_machine_is_refused(context: Context, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (context.root / "etc/firefox").symlink_to(outside)
    assert status(reconcile(WANTED, context=context)) == (
        Compliance.FAILED,
        "path-blocked",
    )
    assert list(outside.iterdir()) == []


class Broken(Handler[Any]):
    """Fails in the way that it is told."""

    owns = frozenset({"etc/broken"})

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, files: OwnedFiles) -> Mapping[str, bytes | None]:
        return {}

    def plan(self, wanted: Any, files: OwnedFiles) -> Sequence[Change]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("x"), (Compliance.FAILED, "handler-broken")),
        (RecursionError(), (Compliance.FAILED, "handler-broken")),
        (HostError("path-occupied"), (Compliance.FAILED, "path-occupied")),
        (FeatureAbsent("bus-absent"), (Compliance.NOT_APPLICABLE, "bus-absent")),
        (OSError(errno.ENOSPC, "full"), (Compliance.FAILED, "disk-full")),
        (OSError(errno.EROFS, "ro"), (Compliance.FAILED, "disk-read-only")),
        (OSError(errno.EPERM, "no"), (Compliance.FAILED, "access-denied")),
        (OSError(errno.EIO, "io"), (Compliance.FAILED, "disk-error")),
    ],
)
def test_a_broken_handler_stops_no_other(
    context: Context, error: Exception, expected: tuple[Compliance, str]
) -> None:
    broken = replace(SCHEMAS[SLUG], slug="a-broken-one")

    def load(schema: SettingSchema[Any]) -> Handler[Any]:
        return Broken(error) if schema is broken else load_handler(schema)

    outcomes = reconcile(
        {"a-broken-one": WANTED[SLUG], **WANTED},
        context=context,
        schemas={**SCHEMAS, "a-broken-one": broken},
        load=load,
    )

    assert (outcomes[0].status, outcomes[0].code) == expected
    assert (outcomes[1].status, outcomes[1].code) == COMPLIANT


def test_without_a_root_everything_fails_and_nothing_is_raised(
    tmp_path: Path,
) -> None:
    nowhere = Context(tmp_path / "nowhere", "desktop")
    assert only(reconcile(WANTED, context=nowhere)).status is Compliance.FAILED


VALUES = st.one_of(
    st.none(),
    st.just({"start_pages": []}),
    st.builds(
        lambda pages, button: {"start_pages": pages, "show_home_button": button},
        st.lists(st.sampled_from(["http://a/", "http://b/"]), min_size=1, max_size=3),
        st.none() | st.booleans(),
    ),
)


@given(values=st.lists(VALUES, max_size=5), foreign=st.binary(max_size=5))
def test_any_history_ends_in_the_last_state_and_leaves_no_trace(
    values: list[Json], foreign: bytes
) -> None:
    with TemporaryDirectory() as directory:
        context = Context(Path(directory), "desktop")
        existing = {
            "etc": Node("directory", 0o755),
            "etc/firefox": Node("directory", 0o750),
            "etc/firefox/policies": Node("directory", 0o755),
            FIREFOX: Node("file", 0o640, foreign),
        }
        make(context.root, existing)
        with unreliable_disk(context.root / "var/graveyard"):
            for value in values:
                settings = {SLUG: value}
                first = reconcile(settings, context=context)
                once = describe(context.root)
                assert reconcile(settings, context=context) == first
                assert describe(context.root) == once
            reconcile({}, context=context)
        assert describe(context.root) == existing

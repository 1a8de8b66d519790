"""Compiling what is dirty: once, signed, told to whom it concerns."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from admin_site.computers import signing
from admin_site.computers.dirty import mark_state_dirty
from admin_site.computers.models import Computer, SigningKey, StateDirty
from admin_site.desired_state import services
from admin_site.desired_state.models import CompiledState
from admin_site.desired_state.services import compile_dirty
from admin_site.policies.selectors import settings_of_site
from admin_site.policies.services import set_setting
from admin_site.tenancy.models import Site
from client_agent.protocol.signed import Kind, open_document
from client_agent.protocol.state import DesiredState
from tests.admin_site.backend_objects import (
    NOW,
    Tenant,
    call_all,
    deferred,
    make_computer,
    make_enrolment,
    make_tenant,
    nothing_changes,
    run_deferred,
)

SETTING = "browser-start-pages"
PAGES = {"start_pages": ["https://library.example/"]}


@dataclass(frozen=True)
class Place:
    """A tenant with one computer, compiled once; the scope is entered."""

    norrby: Tenant
    computer: Computer

    def want(self, *pages: str) -> None:
        set_setting(
            site=self.norrby.site,
            setting=SETTING,
            value={"start_pages": list(pages)},
            by=self.norrby.admin,
            now=NOW,
        )

    def mark(self) -> None:
        mark_state_dirty([self.computer], organisation_id=self.norrby.id, now=NOW)

    def state(self) -> CompiledState:
        found: CompiledState = CompiledState.objects.get(computer=self.computer)
        return found

    def compile(self) -> int:
        return compile_dirty(organisation_id=self.norrby.id, now=NOW)


@pytest.fixture
def place(db: None) -> Iterator[Place]:
    norrby = make_tenant()
    computer, _device = make_computer(norrby)
    with norrby.scope():
        yield Place(norrby, computer)


def _opened(state: CompiledState) -> DesiredState:
    return open_document(
        signing.stored_document(state.signed),
        Kind.STATE,
        DesiredState,
        public_key=bytes(SigningKey.objects.get().public_key),
    )


def test_an_approved_computer_has_a_signed_state(place: Place) -> None:
    state = place.state()
    document = _opened(state)
    assert (document.computer, document.settings) == (place.computer.pk, {})
    assert document.revision == state.revision
    assert state.etag == hashlib.sha256(bytes(state.signed)).hexdigest()
    assert not StateDirty.objects.exists()


def test_nothing_dirty_is_nothing_to_do(place: Place) -> None:
    with nothing_changes():
        assert place.compile() == 0
    assert deferred() == []


def test_a_change_is_compiled_for_every_computer_of_the_site(place: Place) -> None:
    other, _device = make_computer(place.norrby, "pc-2")
    Computer.objects.filter(pk=other.pk).update(site=place.norrby.other_site)
    theirs = CompiledState.objects.get(computer=other)
    before = place.state()
    version = Computer.objects.get(pk=place.computer.pk).auth_version
    place.want(*PAGES["start_pages"])
    assert run_deferred() == [
        "desired_state.compile_dirty",
        "computers.forget_again",
    ]
    after = place.state()
    assert after.revision > before.revision
    assert (after.etag, after.content_digest) != (before.etag, before.content_digest)
    (setting,) = _opened(after).settings.values()
    assert setting == {**PAGES, "home_page": None, "show_home_button": None}
    assert Computer.objects.get(pk=place.computer.pk).auth_version == version + 1
    unchanged = CompiledState.objects.get(computer=other)
    assert (unchanged.revision, unchanged.etag) == (theirs.revision, theirs.etag)


def test_unchanged_content_keeps_its_revision_and_nudges_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.state()
    version = Computer.objects.get().auth_version
    place.mark()
    monkeypatch.setattr("admin_site.core.publish.nudge_computers", pytest.fail)
    assert run_deferred() == ["desired_state.compile_dirty"]
    after = place.state()
    assert (after.revision, after.compiled_at) == (before.revision, before.compiled_at)
    assert bytes(after.signed) == bytes(before.signed)
    assert Computer.objects.get().auth_version == version
    assert not StateDirty.objects.exists()


def test_there_and_back_is_two_revisions(place: Place) -> None:
    revisions = [place.state().revision]
    for page in ("https://a.example/", "https://b.example/", "https://a.example/"):
        place.want(page)
        run_deferred()
        revisions.append(place.state().revision)
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize("status", ["pending", "revoked", "retired"])
def test_a_computer_that_is_not_managed_gets_no_state(
    place: Place, status: str
) -> None:
    before = place.state()
    place.mark()
    Computer.objects.filter(pk=place.computer.pk).update(status=status)
    assert place.compile() == 1
    assert place.state().revision == before.revision
    assert not StateDirty.objects.exists()


def test_a_pending_computer_is_compiled_when_it_is_approved(place: Place) -> None:
    enrolment, _device = make_enrolment(place.norrby)
    place.want(*PAGES["start_pages"])
    run_deferred()
    assert not CompiledState.objects.filter(computer=enrolment.computer).exists()


def test_marking_twice_compiles_once(place: Place) -> None:
    place.mark()
    place.mark()
    assert StateDirty.objects.count() == 1
    mark_state_dirty([], organisation_id=place.norrby.id, now=NOW)
    assert deferred() == ["desired_state.compile_dirty"] * 2
    assert place.compile() == 1


def test_more_than_a_batch_is_gone_on_with(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from admin_site.desired_state import tasks

    monkeypatch.setattr(services, "BATCH", 2)
    monkeypatch.setattr(tasks, "BATCH", 2)
    computers = [place.computer] + [
        make_computer(place.norrby, f"pc-{number}")[0] for number in range(4)
    ]
    mark_state_dirty(computers, organisation_id=place.norrby.id, now=NOW)
    assert run_deferred() == ["desired_state.compile_dirty"] * 3
    assert not StateDirty.objects.exists()


def test_states_of_another_organisation_are_left_alone(place: Place) -> None:
    soderby = make_tenant("soderby")
    place.mark()
    with soderby.scope():
        assert compile_dirty(organisation_id=soderby.id, now=NOW) == 0
    assert StateDirty.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_made_while_compiling_is_compiled_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norrby = make_tenant()
    place = Place(norrby, make_computer(norrby)[0])
    with norrby.scope():
        place.want("https://old.example/")
    has_read, is_changing = threading.Event(), threading.Event()

    def read_and_wait(site: Site) -> dict[str, Any]:
        wanted = settings_of_site(site)
        has_read.set()
        assert is_changing.wait(30)
        return wanted

    def compile_slowly() -> None:
        with norrby.scope():
            place.compile()

    def change() -> None:
        assert has_read.wait(30)
        is_changing.set()
        with norrby.scope():
            place.want("https://new.example/")

    with monkeypatch.context() as patch:
        patch.setattr(
            "admin_site.desired_state.services.settings_of_site", read_and_wait
        )
        call_all([compile_slowly, change])
    run_deferred()
    with norrby.scope():
        assert not StateDirty.objects.exists()
        wanted = _opened(place.state()).settings[SETTING]
    assert isinstance(wanted, dict)
    assert wanted["start_pages"] == ["https://new.example/"]


def test_an_older_time_never_gives_an_older_revision(place: Place) -> None:
    before = place.state().revision
    place.want("https://a.example/")
    compile_dirty(organisation_id=place.norrby.id, now=NOW - timedelta(days=4000))
    assert place.state().revision == before + 1

"""Sealing, verifying and purging, and what somebody with the owner's role tries."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from pytest_django import Settings

from admin_site.audit.anchor import noted_heads
from admin_site.audit.models import (
    AuditCheckpoint,
    AuditEvent,
    AuditSeal,
    AuditSealedEvent,
)
from admin_site.audit.purge import purge_before
from admin_site.audit.sealing import seal_events
from admin_site.core import clock
from admin_site.core.tenancy import scoped
from admin_site.tenancy.models import Organisation
from tests.admin_site.backend_objects import BY, call_all, run_task
from tests.factories.tenants import make_organisation

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)


@dataclass
class Log:
    """The log of one organisation, and ways past the portal to change it."""

    organisation: Organisation
    anchor: Path

    @property
    def id(self) -> UUID:
        return self.organisation.pk

    def add(self, action: str = "x", *, at: datetime | None = None) -> UUID:
        """One event, stamped now unless told otherwise."""
        with scoped([self.id]):
            event = AuditEvent.objects.create(
                organisation_id=self.id,
                at=at or clock.now(),
                actor_kind="user",
                actor_name="Eva",
                action=action,
                target_name="Æble",
                after={"name": "Æble", "sizes": [1, 2.5, None]},
            )
        return event.pk

    def seal(self, *, now: datetime | None = None, **options: Any) -> AuditSeal | None:
        with scoped([self.id]):
            return seal_events(
                organisation_id=self.id, now=now or clock.now(), **options
            )

    def purge(self, moment: datetime) -> int:
        with scoped([self.id]):
            return purge_before(
                organisation_id=self.id, moment=moment, now=clock.now(), by=BY
            )

    def tamper(self, statement: LiteralString, *values: object) -> None:
        """Do it as the role that owns the tables."""
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
            owner.execute(
                "SELECT set_config('app.organisations', %s, true)", [f"{{{self.id}}}"]
            )
            assert owner.execute(statement, values).rowcount

    def verify(self) -> str:
        """What the command says while nothing is wrong."""
        written = io.StringIO()
        call_command(
            "audit", "verify", "--organisation", self.organisation.slug, stdout=written
        )
        return written.getvalue()

    def findings(self) -> str:
        """What the command says when something is wrong."""
        written = io.StringIO()
        with pytest.raises(CommandError, match="not what was sealed"):
            call_command("audit", "verify", stdout=written)
        return written.getvalue()


@pytest.fixture
def log(tmp_path: Path, settings: Settings) -> Log:
    """An organisation with three blocks of two events, noted outside."""
    settings.AUDIT_ANCHOR = tmp_path / "anchor"
    made = Log(make_organisation(slug="norrby"), settings.AUDIT_ANCHOR)
    made.add("first")  # after the event of making the organisation
    made.seal()
    for _each in range(2):
        made.add("a")
        made.add("b")
        made.seal()
    return made


def event_at(log: Log, number: int, position: int = 0) -> UUID:
    with scoped([log.id]):
        return AuditSealedEvent.objects.get(number=number, position=position).event_id


def test_a_whole_log_is_told_in_one_line(log: Log) -> None:
    log.add("not yet")
    assert log.verify() == (
        "norrby: whole. 3 seals with 6 events, 1 not sealed yet; "
        "3 were noted outside.\n"
    )
    assert noted_heads(log.anchor)[log.id].keys() == {1, 2, 3}


def test_nothing_new_seals_nothing(log: Log) -> None:
    assert log.seal() is None
    assert log.verify().startswith("norrby: whole. 3 seals")


def test_without_an_anchor_it_is_said(log: Log, settings: Settings) -> None:
    settings.AUDIT_ANCHOR = None
    log.add()
    log.seal()
    assert "4 seals with 7 events, 0 not sealed yet; there was no anchor" in (
        log.verify()
    )


def test_the_sweep_seals_every_organisation(log: Log) -> None:
    other = make_organisation(slug="soderby")
    log.add()
    run_task("audit.seal", timestamp=0)
    assert noted_heads(log.anchor).keys() == {log.id, other.pk}
    run_task("audit.seal", timestamp=0)
    run_task("audit.seal_late", timestamp=0)
    run_task("audit.purge", timestamp=0)
    written = io.StringIO()
    call_command("audit", "verify", stdout=written)
    assert [line.split(".")[0] for line in written.getvalue().splitlines()] == [
        "norrby: whole",
        "soderby: whole",
    ]


def test_an_unknown_organisation_is_named(log: Log) -> None:
    with pytest.raises(CommandError, match="elsewhere"):
        call_command("audit", "verify", "--organisation", "elsewhere")


# --- what belongs into which seal ---------------------------------------------------


def test_what_commits_late_is_sealed_by_the_next_round(log: Log) -> None:
    late = log.add("late", at=clock.now() - 5 * MINUTE)
    seal = log.seal()
    assert seal is not None
    assert event_at(log, seal.number) == late
    assert log.verify().startswith("norrby: whole. 4 seals with 7 events")


def test_a_row_that_commits_during_a_round_is_not_lost(log: Log) -> None:
    """Stamped first, committed last."""
    early = clock.now()

    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute(
            "SELECT set_config('app.organisations', %s, true)", [f"{{{log.id}}}"]
        )
        other.execute(
            "INSERT INTO audit_auditevent VALUES (%s, %s, %s, 'user', '', 'Eva', "
            "'slow', 'site', '', 'Library', '{}', '{}', '')",
            [uuid4(), log.id, early],
        )
        log.add("quick")
        log.seal()
        other.commit()
    assert "1 not sealed yet" in log.verify()
    log.seal()
    assert log.verify().startswith("norrby: whole. 5 seals with 8 events, 0 not")


def test_two_workers_seal_nothing_twice(log: Log) -> None:
    for _each in range(20):
        log.add()
    done = call_all([log.seal, log.seal, log.seal, log.seal])
    assert [seal.event_count for seal in done if seal] == [20]
    assert log.verify().startswith("norrby: whole. 4 seals with 26 events")


def test_many_events_make_several_blocks(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin_site.audit.sealing.LARGEST_BLOCK", 2)
    monkeypatch.setattr("admin_site.audit.verify._BATCH", 2)
    for _each in range(5):
        log.add()
    for _each in range(3):
        log.seal()
    assert log.verify().startswith("norrby: whole. 6 seals with 11 events, 0 not")


def test_a_clock_that_runs_ahead_makes_nothing_old(log: Log) -> None:
    log.add(at=clock.now() + YEAR)
    log.seal()
    log.add()
    log.seal()
    assert log.verify().startswith("norrby: whole. 5 seals")


def test_what_lies_far_back_is_sealed_at_night(log: Log) -> None:
    log.add(at=clock.now() - YEAR)
    assert log.seal() is None
    assert log.seal(looks_at_all=True) is not None
    assert "was inserted" in log.findings()


def test_the_processes_can_change_nothing(log: Log) -> None:
    for statement in (
        "UPDATE audit_auditseal SET number = 9",
        "DELETE FROM audit_auditseal",
        "TRUNCATE audit_auditseal",
        "UPDATE audit_auditsealedevent SET number = 9",
        "DELETE FROM audit_auditsealedevent",
        "UPDATE audit_auditcheckpoint SET number = 9",
        "DELETE FROM audit_auditcheckpoint",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            scoped([log.id]),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


# --- tampering ----------------------------------------------------------------------


def test_a_changed_row_is_found(log: Log) -> None:
    changed = event_at(log, 2)
    log.tamper(
        "UPDATE audit_auditevent SET actor_name = 'Somebody' WHERE id = %s", changed
    )
    told = log.findings()
    assert f"Event {changed} of seal 2 was changed (a, " in told
    assert told.count("\n") == 2


def test_a_removed_row_is_found(log: Log) -> None:
    removed = event_at(log, 2, 1)
    log.tamper("DELETE FROM audit_auditevent WHERE id = %s", removed)
    assert f"Event {removed} of seal 2 was removed." in log.findings()


def test_a_row_removed_with_its_place_is_found(log: Log) -> None:
    removed = event_at(log, 2, 1)
    log.tamper("DELETE FROM audit_auditevent WHERE id = %s", removed)
    log.tamper("DELETE FROM audit_auditsealedevent WHERE event_id = %s", removed)
    assert "Seal 2 lists 1 rows fewer than were sealed" in log.findings()


def test_a_row_inserted_into_the_past_is_found(log: Log) -> None:
    inserted = log.add("forged", at=clock.now() - YEAR)
    assert f"Event {inserted} was inserted (forged, " in log.findings()


def test_a_row_inserted_into_a_seal_is_found(log: Log) -> None:
    inserted = log.add("forged")
    with scoped([log.id]):
        AuditSealedEvent.objects.create(
            event_id=inserted,
            organisation_id=log.id,
            number=2,
            position=2,
            digest="0" * 64,
        )
    assert "Seal 2 lists 1 rows more than were sealed" in log.findings()


def test_rows_that_changed_places_are_found(log: Log) -> None:
    log.tamper(
        "UPDATE audit_auditsealedevent SET position = position + 7 "
        "WHERE number = 2 AND position = 0"
    )
    assert "Seal 2, or the list of its rows, was rewritten." in log.findings()


def test_a_removed_seal_is_found(log: Log) -> None:
    log.tamper("DELETE FROM audit_auditseal WHERE number = 2")
    assert "Seal 2 was removed." in log.findings()


def rewrite_everything(log: Log, first: int) -> None:
    """Change a row and build the chain anew from seal `first` on."""
    with scoped([log.id]):
        left = AuditSeal.objects.filter(number__gte=first).count()
    log.tamper(
        "UPDATE audit_auditevent SET actor_name = 'Nobody' WHERE id = %s",
        event_at(log, first),
    )
    log.tamper("DELETE FROM audit_auditsealedevent WHERE number >= %s", first)
    log.tamper("DELETE FROM audit_auditseal WHERE number >= %s", first)
    for _each in range(left):
        log.seal()
        log.add()


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_chain_made_anew_does_not_fit_the_anchor(
    log: Log, first: int, settings: Settings
) -> None:
    settings.AUDIT_ANCHOR = None
    rewrite_everything(log, first)
    assert "whole" in log.verify()  # Nothing but the anchor can tell.
    settings.AUDIT_ANCHOR = log.anchor
    assert f"Seal {first} is not the one that was noted outside" in log.findings()


def test_a_rewritten_seal_is_found(log: Log) -> None:
    log.tamper("UPDATE audit_auditseal SET digest = repeat('0', 64) WHERE number = 2")
    told = log.findings()
    assert "Seal 2, or the list of its rows, was rewritten." in told
    assert "Seal 3 does not continue the one before" in told
    assert "Seal 2 is not the one that was noted outside" in told


def test_a_removed_end_is_found(log: Log) -> None:
    last = [event_at(log, 3, position) for position in (0, 1)]
    log.tamper("DELETE FROM audit_auditevent WHERE id = ANY(%s)", last)
    log.tamper("DELETE FROM audit_auditseal WHERE number = 3")
    assert "Seals after seal 2 were removed." in log.findings()
    log.tamper("DELETE FROM audit_auditsealedevent WHERE number = 3")
    assert "The end was removed: seal 3 was noted outside, the last one here is 2." in (
        log.findings()
    )


@pytest.mark.parametrize("lines_left", [0, 2])
def test_a_shortened_anchor_is_found(
    log: Log, lines_left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = log.anchor.read_text().splitlines(keepends=True)
    log.anchor.write_text("".join(lines[:lines_left]))
    assert "whole" in log.verify()  # The worker may be about to write it.
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert "Seal 3 is not noted outside: the anchor was shortened" in log.findings()


def test_an_anchor_that_is_not_there_at_all_is_found(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.anchor.unlink()
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert "Seal 3 is not noted outside" in log.findings()


def test_an_anchor_that_cannot_be_written_is_caught_up(
    log: Log, settings: Settings
) -> None:
    settings.AUDIT_ANCHOR = log.anchor.parent / "not-there" / "anchor"
    log.add()
    with pytest.raises(OSError, match="not-there"):
        log.seal()
    settings.AUDIT_ANCHOR = log.anchor
    assert log.seal() is None
    assert noted_heads(log.anchor)[log.id].keys() == {1, 2, 3, 4}
    assert log.verify().startswith("norrby: whole. 4 seals")


# --- purging ------------------------------------------------------------------------


@pytest.fixture
def old_log(tmp_path: Path, settings: Settings) -> Log:
    """Two blocks of three events from six years ago, one of today."""
    settings.AUDIT_ANCHOR = tmp_path / "anchor"
    made = Log(make_organisation(slug="norrby"), settings.AUDIT_ANCHOR)
    made.tamper("DELETE FROM audit_auditevent")
    long_ago = clock.now() - 6 * YEAR
    for day in range(2):
        moment = long_ago + timedelta(days=day)
        for _each in range(3):
            made.add("old", at=moment)
        made.seal(now=moment + MINUTE)
    made.add("new")
    made.seal()
    return made


def test_a_purge_takes_whole_blocks_and_leaves_a_receipt(old_log: Log) -> None:
    run_task("audit.purge", timestamp=0)
    with scoped([old_log.id]):
        event = AuditEvent.objects.get(action="audit.purged")
        assert (event.after["events"], event.after["blocks"]) == (6, 2)
        assert set(AuditEvent.objects.values_list("action", flat=True)) == {
            "new",
            "audit.purged",
        }
        checkpoint = AuditCheckpoint.objects.get()
        assert (checkpoint.number, checkpoint.event_count) == (2, 6)
    assert old_log.verify().startswith("norrby: whole. 1 seals with 1 events, 1 not")
    old_log.seal()
    assert old_log.verify().startswith("norrby: whole. 2 seals with 2 events, 0 not")


def test_a_block_that_is_partly_young_stays(old_log: Log) -> None:
    assert old_log.purge(clock.now() - 6 * YEAR + timedelta(hours=1)) == 3
    assert old_log.purge(clock.now() - 6 * YEAR + timedelta(hours=2)) == 0
    assert old_log.purge(clock.now() - 5 * YEAR) == 3
    with scoped([old_log.id]):
        assert AuditCheckpoint.objects.get(number=2).event_count == 6
    assert "whole" in old_log.verify()


def test_a_chain_of_which_nothing_is_left_goes_on(old_log: Log) -> None:
    old_log.tamper("DELETE FROM audit_auditseal WHERE number = 3")
    old_log.tamper("DELETE FROM audit_auditsealedevent WHERE number = 3")
    old_log.anchor.unlink()
    old_log.purge(clock.now() - 5 * YEAR)
    seal = old_log.seal()
    assert seal is not None
    assert seal.number == 3
    assert "whole" in old_log.verify()


@pytest.mark.parametrize(
    ("forge", "finding"),
    [
        (
            lambda log: log.tamper("UPDATE audit_auditcheckpoint SET event_count = 1"),
            "checkpoint at seal 2 was not signed by this portal",
        ),
        (
            lambda log: log.tamper("DELETE FROM audit_auditcheckpoint"),
            "Seals 1 to 2 were removed.",
        ),
        (
            lambda log: log.add("forged", at=clock.now() - 6 * YEAR),
            "was inserted (forged",
        ),
    ],
)
def test_tampering_after_a_purge_is_found(
    old_log: Log, forge: Callable[[Log], None], finding: str
) -> None:
    old_log.purge(clock.now() - 5 * YEAR)
    forge(old_log)
    assert finding in old_log.findings()


@contextmanager
def refusal(log: Log, sentence: str) -> Any:
    with pytest.raises(Exception, match=sentence), scoped([log.id]):
        yield


def test_the_database_itself_bounds_what_a_purge_may_delete(old_log: Log) -> None:
    def purge(organisation: UUID, through: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_purge(%s, %s)", [organisation, through])
            return int(cursor.fetchone()[0])

    with refusal(old_log, "kept for a year"):
        purge(old_log.id, 3)
    with refusal(old_log, "leaves a checkpoint"):
        purge(old_log.id, 2)
    other = make_organisation(slug="soderby")
    with transaction.atomic(), refusal(Log(other, old_log.anchor), "checkpoint"):
        purge(old_log.id, 2)
    assert "whole" in old_log.verify()


def test_a_process_without_the_master_key_cannot_purge(
    old_log: Log, settings: Settings
) -> None:
    settings.MASTER_KEY_FILE = None
    with refusal(old_log, "CITIZENPC_MASTER_KEY_FILE"):
        purge_before(
            organisation_id=old_log.id,
            moment=clock.now() - 5 * YEAR,
            now=clock.now(),
            by=BY,
        )

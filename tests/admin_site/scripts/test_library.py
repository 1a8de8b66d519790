"""The release's script library in the database and the blob directory."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command

from admin_site.core.blobs import path_of_blob
from admin_site.scripts.models import Script, ScriptVersion
from admin_site.scripts.selectors import (
    library_scripts,
    metadata_of,
    reference_of,
)
from admin_site.scripts.services import load_library
from scripts.index import LIBRARY_ROOT, LibraryScript
from scripts.index import load_library as read_library
from tests.admin_site.backend_objects import (
    NOW,
    database_contents,
    nothing_changes,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def library() -> list[LibraryScript]:
    return list(read_library(LIBRARY_ROOT))


def test_every_script_is_on_offer_with_its_blob(library: list[LibraryScript]) -> None:
    assert load_library(library=library, now=NOW) == len(library) > 0
    on_offer = list(library_scripts())
    assert {each.slug for each in on_offer} == {each.metadata.slug for each in library}
    for script in on_offer:
        version = script.current
        assert version is not None
        content = path_of_blob(version.sha256).read_bytes()
        assert hashlib.sha256(content).hexdigest() == version.sha256
        assert len(content) == version.size_bytes


def test_metadata_comes_back_as_it_was(library: list[LibraryScript]) -> None:
    load_library(library=library, now=NOW)
    for each in library:
        version = ScriptVersion.objects.get(script__slug=each.metadata.slug)
        assert metadata_of(version) == each.metadata
        reference = reference_of(version)
        assert (reference.slug, reference.version) == (
            each.metadata.slug,
            each.metadata.version,
        )
        assert (reference.sha256, reference.size_bytes) == (
            version.sha256,
            each.size_bytes,
        )
        assert reference.risk is each.metadata.risk


def test_loading_again_changes_nothing(library: list[LibraryScript]) -> None:
    load_library(library=library, now=NOW)
    with nothing_changes():
        assert load_library(library=library, now=NOW) == 0


def test_a_script_that_left_the_library_is_withdrawn_and_may_return(
    library: list[LibraryScript],
) -> None:
    load_library(library=library, now=NOW)
    before = database_contents()["scripts_scriptversion"]
    gone, *others = library
    load_library(library=others, now=NOW)
    assert gone.metadata.slug not in {each.slug for each in library_scripts()}
    assert Script.objects.get(slug=gone.metadata.slug).is_withdrawn
    assert database_contents()["scripts_scriptversion"] == before
    load_library(library=library, now=NOW)
    assert gone.metadata.slug in {each.slug for each in library_scripts()}


def test_a_changed_script_is_a_new_version_and_the_old_one_stays(
    library: list[LibraryScript], tmp_path: Path
) -> None:
    load_library(library=library, now=NOW)
    first = library[0]
    old = Script.objects.get(slug=first.metadata.slug).current
    content = first.content() + b"\n# changed\n"
    (tmp_path / "run").write_bytes(content)
    changed = replace(
        first,
        executable=tmp_path / "run",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )
    assert load_library(library=[changed, *library[1:]], now=NOW) == 1
    script = Script.objects.get(slug=first.metadata.slug)
    assert script.current != old
    assert script.versions.count() == 2
    assert old is not None
    assert path_of_blob(old.sha256).read_bytes() == first.content()


def test_the_command_tells_how_many(library: list[LibraryScript]) -> None:
    written = io.StringIO()
    call_command("load_library", stdout=written)
    assert f"{len(library)} scripts" in written.getvalue()
    assert library_scripts().count() == len(library)

"""What must hold for every script of the library."""

import hashlib
import runpy
from typing import Any

import msgspec
import pytest

from client_agent.scriptlib.interpreter import PYTHON_SHEBANG
from scripts import build
from scripts.index import LIBRARY_ROOT, LibraryScript, load_library
from scripts.parameters import Parameter, Texts

ANY = Texts(en="-", da="-", sv="-")
LIBRARY = load_library()


class _Asked(Exception):
    """Ends a script at the moment when it asks for its arguments."""


def _name(script: LibraryScript) -> str:
    return f"{script.metadata.category}/{script.metadata.slug}"


def test_library_is_fit_for_release() -> None:
    assert build.check_library() == []


def test_generated_files_are_up_to_date() -> None:
    assert build.check_generated() == []


def test_library_has_the_first_scripts() -> None:
    assert {_name(script) for script in LIBRARY} >= {
        "disks/disk-report",
        "inventory/hardware-inventory",
        "power/restart",
        "screen/send-message",
    }


@pytest.mark.parametrize("script", LIBRARY, ids=_name)
def test_script_asks_for_what_its_metadata_names(
    script: LibraryScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bounds in the code of a Python script are those of its script.toml."""
    if script.content().partition(b"\n")[0] != PYTHON_SHEBANG:
        return
    asked: list[Parameter] = []

    def take(*definitions: Parameter) -> None:
        asked.extend(definitions)
        raise _Asked

    monkeypatch.setattr("client_agent.scriptlib.parameters", take)
    monkeypatch.setattr("client_agent.scriptlib.say", lambda _text: None)
    main: Any = runpy.run_path(str(script.executable))["main"]
    with pytest.raises(_Asked):
        main()

    assert [_bare(parameter) for parameter in asked] == [
        _bare(parameter) for parameter in script.metadata.parameters
    ]


@pytest.mark.parametrize("script", LIBRARY, ids=_name)
def test_index_describes_the_bytes_that_travel(script: LibraryScript) -> None:
    assert script.size_bytes == len(script.content())
    assert script.sha256 == hashlib.sha256(script.content()).hexdigest()
    assert script.executable.is_relative_to(LIBRARY_ROOT)


def _bare(parameter: Parameter) -> Parameter:
    return msgspec.structs.replace(parameter, title=ANY, help=ANY)

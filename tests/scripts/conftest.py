"""What the tests of all library scripts share."""

from pathlib import Path

import pytest

from tests.scripts.fake_computer import FakeComputer


@pytest.fixture
def computer(tmp_path: Path) -> FakeComputer:
    """An empty fake computer on which nobody is logged in."""
    return FakeComputer(tmp_path / "root")

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.dbus_doubles.private_bus import PrivateBus, private_bus


@pytest.fixture
def system_bus() -> Iterator[PrivateBus]:
    """A bus without any service; its socket's path must be short."""
    with (
        TemporaryDirectory(prefix="bus-") as directory,
        private_bus(Path(directory)) as bus,
    ):
        yield bus

"""The three people, for the tests of pages."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from tests.factories.people import three_people

__all__ = ["three_people"]


@pytest.fixture(autouse=True)
def _language_of_the_settings() -> Iterator[None]:
    """Forget the language that the last request was answered in."""
    yield
    translation.deactivate()

"""The three people, for the tests of pages."""

from tests.factories.people import three_people

__all__ = ["three_people"]

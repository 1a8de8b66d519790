"""The root of all errors that the development tools show to people."""


class DevtoolsError(Exception):
    """Something is missing or in the way; the text says what to do."""

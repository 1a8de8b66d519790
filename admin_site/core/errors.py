"""The root of the portal's errors."""

from django.utils.functional import Promise


class PortalError(Exception):
    """A refusal with a stable `code` and a sentence that a person can act on."""

    code = "error"

    def __init__(self, message: str | Promise) -> None:
        super().__init__(str(message))
        self.message = message


class TransitionRefused(PortalError):
    """The state table does not allow this change."""

    code = "transition-refused"


class NotAllowed(PortalError):
    """A member whose role lacks the permission; strangers get Http404 instead."""

    code = "not-allowed"

"""What a check of ``doctor`` found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do if it is not well.

    `check` names it for programs. One that was not tried is not well either.
    """

    check: str
    title: str
    is_well: bool
    detail: str = ""
    advice: str = ""
    is_tried: bool = True

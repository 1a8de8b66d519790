"""Texts for people, in the language of who runs the command."""

import gettext
import struct
from pathlib import Path

DOMAIN = "citizenpc"

_OWN = Path(__file__).parent / "locale"


def _load() -> gettext.NullTranslations:
    """The catalogue beside this file, else the system's, else English.

    A damaged catalogue counts as absent: who is looking for a fault needs an answer
    in any language.
    """
    for directory in (str(_OWN), None):
        try:
            return gettext.translation(DOMAIN, localedir=directory)
        except (OSError, ValueError, LookupError, struct.error):
            continue
    return gettext.NullTranslations()


_translation = _load()

_ = _translation.gettext
ngettext = _translation.ngettext

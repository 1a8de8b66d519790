"""Texts for people, in the language of who runs the command."""

import gettext
from pathlib import Path

DOMAIN = "citizenpc"

_own = Path(__file__).parent / "locale"
_translation = gettext.translation(
    DOMAIN, localedir=str(_own) if _own.is_dir() else None, fallback=True
)

_ = _translation.gettext
ngettext = _translation.ngettext

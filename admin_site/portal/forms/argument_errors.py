"""Sentences for what `scripts.arguments` refuses."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scripts.arguments import ArgumentCode, ArgumentError

_C = ArgumentCode
_SENTENCES: dict[ArgumentCode, Promise] = {
    _C.MISSING: gettext_lazy("Fill in this field."),
    _C.UNKNOWN_PARAMETER: gettext_lazy("The script does not know this field."),
    _C.WRONG_TYPE: gettext_lazy("This is not the kind of value that is wanted here."),
    _C.TOO_SHORT: gettext_lazy("Write at least %(minimum)s characters."),
    _C.TOO_LONG: gettext_lazy("Write at most %(maximum)s characters."),
    _C.BAD_PATTERN: gettext_lazy("This does not have the form that is wanted here."),
    _C.BAD_FORMAT: gettext_lazy("This does not have the form that is wanted here."),
    _C.BAD_CHARACTER: gettext_lazy("Leave out control characters and line breaks."),
    _C.UNKNOWN_CHOICE: gettext_lazy("Choose one of the values on offer."),
    _C.UNKNOWN_LANGUAGE: gettext_lazy("This language is not on offer."),
    _C.TOO_FEW: gettext_lazy("Choose at least %(minimum)s."),
    _C.TOO_MANY: gettext_lazy("Choose at most %(maximum)s."),
    _C.TOO_LARGE: gettext_lazy("The file is larger than %(maximum)s bytes."),
    _C.WRONG_FILE_TYPE: gettext_lazy("This kind of file is not allowed."),
}


def sentence(error: ArgumentError) -> str:
    """What is wrong and what to do, in the language of the page."""
    if error.code is ArgumentCode.OUT_OF_BOUNDS:
        return _bounds(error)
    return str(_SENTENCES[error.code]) % dict(error.bounds)


def _bounds(error: ArgumentError) -> str:
    lowest, highest = error.bounds.get("minimum"), error.bounds.get("maximum")
    if highest is None:
        return _("Choose a value from %(minimum)s on.") % {"minimum": lowest}
    if lowest is None:
        return _("Choose a value up to %(maximum)s.") % {"maximum": highest}
    return _("Choose a value from %(minimum)s to %(maximum)s.") % {
        "minimum": lowest,
        "maximum": highest,
    }

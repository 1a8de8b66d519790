"""What the codes of an outcome mean, for people."""

from collections.abc import Mapping
from types import MappingProxyType

from client_agent.settings.definition import N_

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "access-denied": N_("The agent may not write this file."),
        "bus-absent": N_("The computer has no system bus."),
        "bus-answer-unexpected": N_("A system service gave an unexpected answer."),
        "bus-denied": N_("A system service refused the agent's request."),
        "bus-failed": N_("A system service reported an error."),
        "bus-library-absent": N_("The D-Bus library of Python is not installed."),
        "bus-lost": N_("The system bus was restarted."),
        "bus-timeout": N_("A system service did not answer in time."),
        "changed-from-outside": N_("Somebody else had changed it; it was put right."),
        "disk-error": N_("The file could not be written."),
        "disk-full": N_("The disk is full."),
        "disk-read-only": N_("The disk can only be read."),
        "file-too-large": N_("A file that is in the way is too large to be kept."),
        "handler-broken": N_("The agent made an error; its log says more."),
        "journal-damaged": N_("What was there before can no longer be read."),
        "path-blocked": N_("A link or file stands where a folder should be."),
        "path-invalid": N_("The agent made an error: the path is not allowed."),
        "path-not-owned": N_("The agent made an error: the file is another setting's."),
        "path-occupied": N_("A folder or device stands where a file should be."),
        "product-unsupported": N_("This kind of computer does not have the setting."),
        "service-absent": N_("The computer lacks the service that this needs."),
        "setting-invalid": N_(
            "The agent made an error: the setting has no valid name."
        ),
        "setting-unknown": N_("This version of the agent does not know the setting."),
        "value-invalid": N_("The value is not allowed."),
    }
)
"""msgids by code; every code that the agent may report of a setting is here."""

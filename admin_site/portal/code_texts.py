"""Words for codes that computers and scripts use."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from admin_site.computers.models import ComputerEvent
from admin_site.jobs.models import Job
from admin_site.jobs.states import JobStatus
from client_agent.protocol.reports import Compliance

RISKS: dict[str, Promise] = {
    "reads": gettext_lazy("Changes nothing on the computer"),
    "changes": gettext_lazy("Changes the computer"),
    "restarts": gettext_lazy("Restarts the computer"),
    "destroys": gettext_lazy("Deletes data that cannot be brought back"),
}

COMPLIANCE: dict[str, Promise] = {
    Compliance.COMPLIANT.value: gettext_lazy("As wanted"),
    Compliance.PENDING.value: gettext_lazy("On its way"),
    Compliance.MENDED.value: gettext_lazy("Had been changed, put right"),
    Compliance.FAILED.value: gettext_lazy("Failed"),
    Compliance.NOT_APPLICABLE.value: gettext_lazy("Does not apply here"),
    Compliance.REMOVED.value: gettext_lazy("Removed"),
}

_REASONS: dict[str, Promise] = {
    "signature-invalid": gettext_lazy("the computer could not verify the order"),
    "document-expired": gettext_lazy("the order came too late"),
    "document-not-yet-valid": gettext_lazy("the clock of the computer is wrong"),
    "document-replayed": gettext_lazy("the computer had this order before"),
    "blob-unknown": gettext_lazy("the script could not be fetched"),
    "blob-digest-wrong": gettext_lazy("the script was damaged on its way"),
    "seal-invalid": gettext_lazy("a secret was not meant for this computer"),
    "version-unsupported": gettext_lazy("the agent on the computer is too old"),
}

_EVENTS: dict[str, Promise] = {
    "agent-started": gettext_lazy("The agent started"),
    "link-misbehaved": gettext_lazy("The network half of the agent misbehaved"),
    "reports-dropped": gettext_lazy("Reports were dropped for want of space"),
    "state-revision-old": gettext_lazy("Refused settings older than those in force"),
    "signature-invalid": gettext_lazy("Refused a document that could not be verified"),
    "audience-wrong": gettext_lazy("Refused a document meant for another computer"),
    "document-expired": gettext_lazy("Refused a document that came too late"),
    "document-replayed": gettext_lazy("Refused a document it had seen before"),
}


def reason_text(code: str) -> str:
    """What a code means; the code itself where there is no sentence for it."""
    return str(_REASONS.get(code, code))


def job_outcome(job: Job) -> str:
    """State of a job in words, with why it ended so."""
    status = JobStatus(job.status)
    label = str(status.label)
    if status is JobStatus.FAILED and job.exit_status is not None:
        return _("Failed: the script ended with status %(status)s") % {
            "status": job.exit_status
        }
    if job.code and status in (JobStatus.FAILED, JobStatus.LOST):
        return _("%(state)s: %(reason)s") % {
            "state": label,
            "reason": reason_text(job.code),
        }
    if job.cancel_requested_at and job.finished_at is None:
        return _("%(state)s, cancelling") % {"state": label}
    return label


def event_text(event: ComputerEvent) -> str:
    """What a computer reported, with the details that it gave."""
    details = ", ".join(f"{name}: {value}" for name, value in event.arguments.items())
    sentence = str(_EVENTS.get(event.code) or reason_text(event.code))
    return f"{sentence} ({details})" if details else sentence

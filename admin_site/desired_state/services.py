"""Compiling the states of dirty computers."""

import hashlib
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from admin_site.computers import authority
from admin_site.computers.models import Computer, StateDirty
from admin_site.computers.signing import Signer
from admin_site.computers.states import MANAGED
from admin_site.core import publish
from admin_site.desired_state.compile import (
    Intent,
    content_digest,
    document_of,
    next_revision,
)
from admin_site.desired_state.models import CompiledState
from admin_site.policies.selectors import settings_of_site
from client_agent.protocol.signed import Kind
from client_agent.protocol.socket import Hint

BATCH = 500


@transaction.atomic
def compile_dirty(*, organisation_id: UUID, now: datetime) -> int:
    """Compile and sign up to `BATCH` dirty computers; returns how many were dirty.

    A computer whose content is as before keeps its revision and is not nudged. Locks
    the dirty rows, so that a change made meanwhile marks them again.
    """
    dirty = list(
        StateDirty.objects.for_organisation(organisation_id)
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("marked_at", "computer_id")[:BATCH]
    )
    if not dirty:
        return 0
    uids = [each.computer_id for each in dirty]
    computers = list(
        Computer.objects.for_organisation(organisation_id)
        .filter(pk__in=uids, status__in=MANAGED)
        .select_related("site", "state")
    )
    wanted = {each.site_id: settings_of_site(each.site) for each in computers}
    signer = Signer(organisation_id)
    changed = [
        each for each in computers if _compile(each, wanted[each.site_id], signer, now)
    ]
    StateDirty.objects.for_organisation(organisation_id).filter(pk__in=uids).delete()
    authority.bump_auth_version(
        changed, organisation_id=organisation_id, nudge=Hint.STATE
    )
    for site_id in {each.site_id for each in changed}:
        publish.hint_pages("site", site_id, "computers")
    return len(dirty)


def _compile(
    computer: Computer, wanted: dict[str, object], signer: Signer, now: datetime
) -> bool:
    """Write the computer's state if its content changed; whether it did."""
    intent = Intent(
        computer=computer.pk,
        settings=wanted,  # type: ignore[arg-type]
        poll_seconds=settings.POLL_SECONDS,
    )
    digest = content_digest(intent)
    previous: CompiledState | None = getattr(computer, "state", None)
    if previous is not None and previous.content_digest == digest:
        return False
    revision = next_revision(previous.revision if previous else 0, now=now)
    signed = signer.sign(Kind.STATE, document_of(intent, revision=revision, now=now))
    CompiledState.objects.update_or_create(
        computer=computer,
        defaults={
            "organisation_id": computer.organisation_id,
            "revision": revision,
            "content_digest": digest,
            "etag": hashlib.sha256(signed).hexdigest(),
            "signed": signed,
            "compiled_at": now,
        },
    )
    return True

"""Forgetting the oldest part of the audit log, block by block, with a receipt."""

from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from admin_site.audit.chain import canonical
from admin_site.audit.models import AuditCheckpoint, AuditSeal
from admin_site.audit.sealing import last_checkpoint, wait_for_chain
from admin_site.audit.services import Actor, record
from admin_site.core.crypto import mac_under_master

_PURPOSE = "audit-checkpoint"


def purge_before(
    *, organisation_id: UUID, moment: datetime, now: datetime, by: Actor
) -> int:
    """Delete the whole sealed blocks that are older than `moment`; count of events.

    Leaves a signed checkpoint from which the chain goes on, and an audit event. The
    database refuses to delete what is younger than a year.

    Raises:
        MasterKeyMissing: only a process with the master key can sign the checkpoint.
    """
    wait_for_chain(organisation_id)
    seals = AuditSeal.objects.filter(
        organisation_id=organisation_id, latest_at__lt=moment
    )
    last = seals.order_by("-number").first()
    if last is None:
        return 0
    older = seals.filter(number__lte=last.number)
    count: int = older.aggregate(count=Sum("event_count"))["count"]
    blocks = older.count()
    before = last_checkpoint(organisation_id)
    checkpoint = AuditCheckpoint(
        organisation_id=organisation_id,
        number=last.number,
        digest=last.digest,
        event_count=count + (before.event_count if before else 0),
        latest_at=last.latest_at,
        made_at=now,
    )
    checkpoint.signature = signature_of(checkpoint)
    checkpoint.save(force_insert=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_purge(%s, %s)", [organisation_id, last.number])
        (removed,) = cursor.fetchone() or (0,)
    record(
        organisation_id=organisation_id,
        by=by,
        action="audit.purged",
        target=checkpoint,
        after={
            "events": removed,
            "blocks": blocks,
            "up_to": last.latest_at.isoformat(),
        },
    )
    return int(removed)


def signature_of(checkpoint: AuditCheckpoint) -> str:
    """What only a holder of the master key can write below a checkpoint.

    Raises:
        MasterKeyMissing: this process is not one.
    """
    fields = {
        "organisation": checkpoint.organisation_id,
        "number": checkpoint.number,
        "digest": checkpoint.digest,
        "events": checkpoint.event_count,
        "latest": checkpoint.latest_at,
        "made": checkpoint.made_at,
    }
    return mac_under_master(canonical(fields), purpose=_PURPOSE).hex()

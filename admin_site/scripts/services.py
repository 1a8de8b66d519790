"""Taking the release's script library into the portal."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from admin_site.core.blobs import store_blob
from admin_site.scripts.models import Script, ScriptVersion
from scripts.index import LibraryScript


@transaction.atomic
def load_library(*, library: Sequence[LibraryScript], now: datetime) -> int:
    """Bring the scripts on offer to what `library` says; returns how many are new.

    Versions are never changed or deleted, jobs remember them. A script that is no
    longer in the library is withdrawn. Runs at upgrade, as the owner role.
    """
    created = 0
    for each in library:
        script, _is_new = Script.objects.update_or_create(
            slug=each.metadata.slug,
            defaults={
                "category": each.metadata.category,
                "category_title": msgspec.to_builtins(each.category_title),
                "is_withdrawn": False,
            },
        )
        version, is_new = ScriptVersion.objects.get_or_create(
            script=script,
            version=each.metadata.version,
            sha256=store_blob(each.content()),
            defaults={
                "metadata": msgspec.to_builtins(each.metadata),
                "size_bytes": each.size_bytes,
                "created_at": now,
            },
        )
        if script.current_id != version.pk:
            script.current = version
            script.save(update_fields=["current"])
        created += is_new
    slugs = [each.metadata.slug for each in library]
    Script.objects.exclude(slug__in=slugs).update(is_withdrawn=True)
    return created

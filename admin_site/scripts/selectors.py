"""Reading the library as the portal holds it."""

from django.db.models import QuerySet

from admin_site.scripts.models import Script, ScriptVersion
from client_agent.protocol import codec
from client_agent.protocol.jobs import ScriptReference
from scripts.metadata import ScriptMetadata


def library_scripts() -> QuerySet[Script]:
    """Scripts on offer with their current version."""
    return (
        Script.objects.filter(is_withdrawn=False, current__isnull=False)
        .select_related("current")
        .order_by("category", "slug")
    )


def metadata_of(version: ScriptVersion) -> ScriptMetadata:
    """script.toml of that version."""
    return codec.convert(ScriptMetadata, version.metadata)


def reference_of(version: ScriptVersion) -> ScriptReference:
    """What a signed job says of the script."""
    metadata = metadata_of(version)
    return ScriptReference(
        slug=metadata.slug,
        version=version.version,
        sha256=version.sha256,
        size_bytes=version.size_bytes,
        risk=metadata.risk,
        run_as=metadata.run_as,
        is_idempotent=metadata.is_idempotent,
        continues_after_restart=metadata.continues_after_restart,
    )

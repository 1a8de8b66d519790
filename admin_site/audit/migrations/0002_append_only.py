"""Row-level security; processes insert and select, nothing else."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import APP_ROLE, ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("audit", "0001_initial")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("audit_auditevent"),
        migrations.RunSQL(
            f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_auditevent FROM {APP_ROLE};",
            f"GRANT UPDATE, DELETE ON audit_auditevent TO {APP_ROLE};",
        ),
    ]

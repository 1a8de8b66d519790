"""Row-level security."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("desired_state", "0001_initial")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("desired_state_compiledstate"),
    ]

"""Row-level security."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("policies", "0001_initial")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("policies_policy"),
        ProtectTenantTable("policies_policyversion"),
        ProtectTenantTable("policies_assignment"),
    ]

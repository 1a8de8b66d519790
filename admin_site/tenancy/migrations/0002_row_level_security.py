"""Row-level security, and what is asked before an organisation is known."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("tenancy", "0001_initial")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("tenancy_organisation", column="id", is_read_by_definer=True),
        ProtectTenantTable("tenancy_site"),
        ProtectTenantTable("tenancy_membership", is_read_by_definer=True),
        migrations.RunSQL(
            """
            CREATE FUNCTION tenancy_organisations_of_user(who uuid)
            RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER STABLE 
            SET search_path = pg_catalog, public, pg_temp
            AS $$ SELECT DISTINCT organisation_id FROM tenancy_membership WHERE user_id = who $$;
            REVOKE ALL ON FUNCTION tenancy_organisations_of_user(uuid) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION tenancy_organisations_of_user(uuid) TO citizenpc_app;
            """,
            "DROP FUNCTION tenancy_organisations_of_user(uuid);",
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION tenancy_all_organisations()
            RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER STABLE 
            SET search_path = pg_catalog, public, pg_temp
            AS $$ SELECT id FROM tenancy_organisation ORDER BY id $$;
            REVOKE ALL ON FUNCTION tenancy_all_organisations() FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION tenancy_all_organisations() TO citizenpc_app;
            """,
            "DROP FUNCTION tenancy_all_organisations();",
        ),
    ]

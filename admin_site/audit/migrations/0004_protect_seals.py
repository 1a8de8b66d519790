"""Seals are as append-only as events; a purge goes through one function."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import APP_ROLE, ProtectTenantTable

TABLES = ("audit_auditseal", "audit_auditsealedevent", "audit_auditcheckpoint")


def append_only(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE};",
        f"GRANT UPDATE, DELETE ON {table} TO {APP_ROLE};",
    )


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("audit", "0003_seals")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        *[ProtectTenantTable(table) for table in TABLES],
        *[append_only(table) for table in TABLES],
        migrations.RunSQL(
            """
            CREATE FUNCTION audit_purge(whose uuid, through bigint)
            RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, public, pg_temp
            AS $$
            DECLARE
                removed bigint;
            BEGIN
                -- The policies hold for the owner too: `whose` must be in scope.
                IF EXISTS (
                    SELECT FROM audit_auditseal
                    WHERE organisation_id = whose AND number <= through
                    AND latest_at > now() - interval '1 year'
                ) THEN
                    RAISE EXCEPTION 'the audit log is kept for a year at least';
                END IF;
                IF NOT EXISTS (
                    SELECT FROM audit_auditcheckpoint
                    WHERE organisation_id = whose AND number = through
                ) THEN
                    RAISE EXCEPTION 'a purge of the audit log leaves a checkpoint';
                END IF;
                DELETE FROM audit_auditevent AS event
                USING audit_auditsealedevent AS sealed
                WHERE event.organisation_id = whose
                AND sealed.organisation_id = whose AND sealed.number <= through
                AND sealed.event_id = event.id;
                GET DIAGNOSTICS removed = ROW_COUNT;
                DELETE FROM audit_auditsealedevent
                WHERE organisation_id = whose AND number <= through;
                DELETE FROM audit_auditseal
                WHERE organisation_id = whose AND number <= through;
                RETURN removed;
            END
            $$;
            REVOKE ALL ON FUNCTION audit_purge(uuid, bigint) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION audit_purge(uuid, bigint) TO citizenpc_app;
            """,
            "DROP FUNCTION audit_purge(uuid, bigint);",
        ),
    ]

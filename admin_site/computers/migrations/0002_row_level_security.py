"""Row-level security, and what is asked before an organisation is known."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("computers", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("computers_signingkey"),
        ProtectTenantTable("computers_enrolmenttoken", is_read_by_definer=True),
        ProtectTenantTable("computers_computer", is_read_by_definer=True),
        ProtectTenantTable("computers_statedirty"),
        ProtectTenantTable("computers_computerkey"),
        ProtectTenantTable("computers_enrolment"),
        ProtectTenantTable("computers_facts"),
        ProtectTenantTable("computers_presence"),
        ProtectTenantTable("computers_order"),
        ProtectTenantTable("computers_reportstream"),
        ProtectTenantTable("computers_computerevent"),
        ProtectTenantTable("computers_settingcompliance"),
        migrations.RunSQL(
            """
            CREATE FUNCTION computers_organisation_of_token(hash bytea)
            RETURNS uuid LANGUAGE sql SECURITY DEFINER STABLE 
            SET search_path = pg_catalog, public, pg_temp
            AS $$ SELECT organisation_id FROM computers_enrolmenttoken WHERE secret_hash = hash $$;
            REVOKE ALL ON FUNCTION computers_organisation_of_token(bytea) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION computers_organisation_of_token(bytea) TO citizenpc_app;
            """,
            "DROP FUNCTION computers_organisation_of_token(bytea);",
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION computers_organisation_of_computer(who uuid)
            RETURNS uuid LANGUAGE sql SECURITY DEFINER STABLE 
            SET search_path = pg_catalog, public, pg_temp
            AS $$ SELECT organisation_id FROM computers_computer WHERE uid = who $$;
            REVOKE ALL ON FUNCTION computers_organisation_of_computer(uuid) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION computers_organisation_of_computer(uuid) TO citizenpc_app;
            """,
            "DROP FUNCTION computers_organisation_of_computer(uuid);",
        ),
        migrations.RunSQL(
            """
            ALTER TABLE computers_presence SET (fillfactor = 70);
            CREATE POLICY definer_write ON computers_presence
            TO citizenpc_owner USING (true) WITH CHECK (true);
            CREATE FUNCTION computers_flush_presence(
                uids uuid[], moments timestamptz[]
            ) RETURNS void LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, public, pg_temp
            AS $$
                INSERT INTO computers_presence (computer_id, organisation_id, seen_at)
                SELECT computer.uid, computer.organisation_id, seen.at
                FROM unnest(uids, moments) AS seen (uid, at)
                JOIN computers_computer AS computer ON computer.uid = seen.uid
                ORDER BY computer.uid
                ON CONFLICT (computer_id) DO UPDATE SET seen_at = excluded.seen_at
                WHERE computers_presence.seen_at
                    < excluded.seen_at - interval '5 minutes'
            $$;
            REVOKE ALL ON FUNCTION computers_flush_presence(uuid[], timestamptz[])
            FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION computers_flush_presence(uuid[], timestamptz[])
            TO citizenpc_app;
            """,
            """
            DROP FUNCTION computers_flush_presence(uuid[], timestamptz[]);
            DROP POLICY definer_write ON computers_presence;
            """,
        ),
    ]

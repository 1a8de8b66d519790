"""Output by month, and row-level security."""

from typing import ClassVar

from django.db import migrations

from admin_site.core.rls import ProtectTenantTable


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("jobs", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        ProtectTenantTable("jobs_run"),
        ProtectTenantTable("jobs_job"),
        migrations.RunSQL(
            """
            CREATE TABLE jobs_outputchunk (
                organisation_id uuid NOT NULL
                    REFERENCES tenancy_organisation DEFERRABLE INITIALLY DEFERRED,
                created_at timestamptz NOT NULL,
                job_id uuid NOT NULL,
                "offset" bigint NOT NULL CHECK ("offset" >= 0),
                data bytea NOT NULL,
                PRIMARY KEY (created_at, job_id, "offset")
            ) PARTITION BY RANGE (created_at);
            """,
            "DROP TABLE jobs_outputchunk;",
        ),
        ProtectTenantTable("jobs_outputchunk"),
        migrations.RunSQL(
            """
            CREATE FUNCTION jobs_ensure_output_partition(of_day date)
            RETURNS void LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, public, pg_temp
            AS $$
            DECLARE
                first date := date_trunc('month', of_day)::date;
                next date := (date_trunc('month', of_day) + interval '1 month')::date;
                name text := 'jobs_outputchunk_' || to_char(of_day, 'YYYYMM');
            BEGIN
                IF to_regclass('public.' || name) IS NOT NULL THEN
                    RETURN;
                END IF;
                -- Two workers at the turn of a month.
                PERFORM pg_advisory_xact_lock(hashtext(name));
                IF to_regclass('public.' || name) IS NOT NULL THEN
                    RETURN;
                END IF;
                EXECUTE format(
                    'CREATE TABLE public.%I PARTITION OF public.jobs_outputchunk '
                    'FOR VALUES FROM (%L) TO (%L)',
                    name, first::text || ' 00:00+00', next::text || ' 00:00+00'
                );
                -- Reading goes through the parent and its policy; the partition
                -- itself has none and so shows nothing to anybody.
                EXECUTE format(
                    'ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
                EXECUTE format(
                    'ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
            END
            $$;
            REVOKE ALL ON FUNCTION jobs_ensure_output_partition(date) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION jobs_ensure_output_partition(date)
            TO citizenpc_app;
            """,
            "DROP FUNCTION jobs_ensure_output_partition(date);",
        ),
    ]

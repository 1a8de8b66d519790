-- The two database roles of CitizenPC and what they may do in one database.
--
-- Run once as a superuser in the portal's database:
--
--     createdb citizenpc
--     psql --dbname=citizenpc --file=admin_site/config/roles.sql
--
-- and give both roles a password (ALTER ROLE ... PASSWORD) if they connect over TCP.
-- Running it again changes nothing. The owner may run it too, in a database that is
-- its own; test databases are made that way.
--
--   citizenpc_owner  owns database and tables; only migrations connect as it
--   citizenpc_app    all processes; row-level security holds for it

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'citizenpc_owner') THEN
        CREATE ROLE citizenpc_owner LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'citizenpc_app') THEN
        CREATE ROLE citizenpc_app LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF EXISTS (
        SELECT FROM pg_roles
        WHERE rolname IN ('citizenpc_owner', 'citizenpc_app')
        AND (rolsuper OR rolbypassrls)
    ) THEN
        RAISE EXCEPTION 'citizenpc_owner and citizenpc_app must be NOSUPERUSER NOBYPASSRLS';
    END IF;
    IF (
        SELECT pg_get_userbyid(datdba) FROM pg_database
        WHERE datname = current_database()
    ) <> 'citizenpc_owner' THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO citizenpc_owner', current_database());
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO citizenpc_app;

-- Held by this database alone; a database made from it as a template has them too.
ALTER DEFAULT PRIVILEGES FOR ROLE citizenpc_owner
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO citizenpc_app;
ALTER DEFAULT PRIVILEGES FOR ROLE citizenpc_owner
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO citizenpc_app;
ALTER DEFAULT PRIVILEGES FOR ROLE citizenpc_owner
    GRANT EXECUTE ON FUNCTIONS TO citizenpc_app;

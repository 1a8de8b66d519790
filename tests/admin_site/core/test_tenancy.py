"""What the database itself keeps apart, asked as the role that all processes have."""

from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from admin_site.audit.models import AuditEvent
from admin_site.audit.services import system_actor
from admin_site.core.tasks import all_organisation_ids
from admin_site.core.tenancy import organisations_in_scope, scoped
from admin_site.tenancy.models import Organisation, Site
from admin_site.tenancy.services import create_organisation, create_site

BY = system_actor("test")

GLOBAL_TABLES = {
    # People and their ways in belong to no organisation.
    "accounts_user",
    "accounts_onetimelink",
    "account_emailaddress",
    "account_emailconfirmation",
    "mfa_authenticator",
    # The library is the same for everyone and written at upgrade only.
    "scripts_script",
    "scripts_scriptversion",
}
FRAMEWORK_PREFIXES = ("auth_", "django_", "procrastinate_")


@pytest.fixture
def two_organisations(db: None) -> tuple[UUID, UUID]:
    first = create_organisation(name="Norrby", slug="norrby", by=BY)
    second = create_organisation(name="Soderby", slug="soderby", by=BY)
    for organisation in (first, second):
        with scoped([organisation.pk]):
            create_site(
                organisation=organisation, name="Library", code="library", by=BY
            )
    return first.pk, second.pk


def _site_organisations() -> set[UUID]:
    """Past every manager: what the database shows of a tenant table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT organisation_id FROM tenancy_site")
        return {row[0] for row in cursor.fetchall()}


def test_connects_as_a_role_that_row_level_security_binds(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles "
            "WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("citizenpc_app", False, False)


def test_every_tenant_table_is_forced_under_one_tenant_policy(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                count(p.polname) FILTER (WHERE p.polname = 'tenant'),
                c.relispartition
            FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            GROUP BY c.oid
            """
        )
        rows = cursor.fetchall()
    tables = {name for name, *_rest in rows}
    assert tables >= GLOBAL_TABLES, "a table is listed as global that does not exist"
    unprotected = {
        name
        for name, is_forced, policies, is_partition in rows
        # A partition is read through its parent; without a policy it shows nothing.
        if not is_forced or (policies != 1 and not is_partition)
    }
    unknown = {
        name
        for name in unprotected - GLOBAL_TABLES
        if not name.startswith(FRAMEWORK_PREFIXES)
    }
    assert unknown == set()


def test_outside_of_a_scope_nothing_exists(
    two_organisations: tuple[UUID, UUID],
) -> None:
    assert _site_organisations() == set()
    assert list(Site.objects.all()) == []


def test_a_scope_shows_its_organisation_even_past_the_managers(
    two_organisations: tuple[UUID, UUID],
) -> None:
    first, second = two_organisations
    with scoped([first]):
        assert _site_organisations() == {first}
    with scoped([second]):
        assert _site_organisations() == {second}
    with scoped([first, second]):
        assert _site_organisations() == {first, second}
    assert _site_organisations() == set()


def test_scopes_nest_and_come_back(
    two_organisations: tuple[UUID, UUID],
) -> None:
    first, second = two_organisations
    with scoped([first]):
        with scoped([second]):
            assert _site_organisations() == {second}
            assert organisations_in_scope() == (second,)
        assert _site_organisations() == {first}
        with pytest.raises(ZeroDivisionError), scoped([second]):
            assert 1 / (len(_site_organisations()) - 1)
        assert _site_organisations() == {first}
    assert organisations_in_scope() == ()


def test_a_row_of_another_organisation_cannot_be_written(
    two_organisations: tuple[UUID, UUID],
) -> None:
    first, second = two_organisations
    with pytest.raises(ProgrammingError, match="row-level security"), scoped([first]):
        Site.objects.create(organisation_id=second, code="theirs", name="Theirs")


def test_a_row_of_another_organisation_cannot_be_changed_or_deleted(
    two_organisations: tuple[UUID, UUID],
) -> None:
    first, second = two_organisations
    with scoped([first]):
        assert Site.objects.filter(organisation_id=second).update(name="Mine") == 0
        assert Site.objects.filter(organisation_id=second).delete()[0] == 0
    with scoped([second]):
        assert Site.objects.get().name == "Library"


def test_a_scope_that_asks_nothing_sends_nothing(
    two_organisations: tuple[UUID, UUID],
) -> None:
    with CaptureQueriesContext(connection) as queries, scoped([two_organisations[0]]):
        pass
    assert [query["sql"] for query in queries if "set_config" in query["sql"]] == []


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_used_again_remembers_no_scope() -> None:
    organisation = create_organisation(name="Norrby", slug="norrby", by=BY)
    with scoped([organisation.pk]):
        create_site(organisation=organisation, name="L", code="library", by=BY)
        backend = connection.connection.info.backend_pid
        assert _site_organisations() == {organisation.pk}
    assert connection.connection.info.backend_pid == backend
    assert _site_organisations() == set()


@pytest.mark.django_db(transaction=True)
def test_a_failed_scope_leaves_nothing_behind() -> None:
    organisation = create_organisation(name="Norrby", slug="norrby", by=BY)

    def create_and_fail() -> None:
        create_site(organisation=organisation, name="L", code="library", by=BY)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(DatabaseError), scoped([organisation.pk]):
        create_and_fail()
    with scoped([organisation.pk]):
        assert _site_organisations() == set()


@pytest.mark.django_db(transaction=True)
def test_threads_of_consumers_share_no_scope() -> None:
    organisation = create_organisation(name="Norrby", slug="norrby", by=BY)
    with scoped([organisation.pk]):
        create_site(organisation=organisation, name="L", code="library", by=BY)

    def read_scoped() -> set[UUID]:
        with scoped([organisation.pk]):
            return _site_organisations()

    async def consumer() -> list[set[UUID]]:
        readers = (read_scoped, _site_organisations, read_scoped, _site_organisations)
        return [await database_sync_to_async(reader)() for reader in readers]

    seen = async_to_sync(consumer)()
    assert seen == [{organisation.pk}, set(), {organisation.pk}, set()]


def test_sweeps_learn_ids_and_nothing_else(
    two_organisations: tuple[UUID, UUID],
) -> None:
    assert set(all_organisation_ids()) >= set(two_organisations)
    assert list(Organisation.objects.all()) == []


def test_audit_events_can_be_added_and_read_but_not_changed(
    two_organisations: tuple[UUID, UUID],
) -> None:
    first, _second = two_organisations
    with scoped([first]):
        assert AuditEvent.objects.filter(action="organisation.created").count() == 1
    for statement in (
        "UPDATE audit_auditevent SET action = 'other'",
        "DELETE FROM audit_auditevent",
        "TRUNCATE audit_auditevent",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            scoped([first]),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_the_role_of_the_processes_cannot_change_the_schema(db: None) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE tenancy_site DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON tenancy_site",
        "SET ROLE citizenpc_owner",
    ):
        with (
            pytest.raises(ProgrammingError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_definer_functions_tell_an_organisation_and_no_more(
    two_organisations: tuple[UUID, UUID],
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname, pg_get_function_result(p.oid) FROM pg_proc p "
            "WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
        )
        functions = dict(cursor.fetchall())
        cursor.execute("SELECT computers_organisation_of_computer(%s)", [uuid4()])
        assert cursor.fetchone() == (None,)
    assert functions == {
        "tenancy_organisations_of_user": "SETOF uuid",
        "tenancy_all_organisations": "SETOF uuid",
        "computers_organisation_of_token": "uuid",
        "computers_organisation_of_computer": "uuid",
        "computers_flush_presence": "void",
        "jobs_ensure_output_partition": "void",
        "audit_purge": "bigint",
    }

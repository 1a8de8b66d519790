"""Migration operations for what the database itself enforces."""

from typing import Any

from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

OWNER_ROLE = "citizenpc_owner"
APP_ROLE = "citizenpc_app"


def protect_sql(table: str, column: str) -> str:
    """SQL that hides rows of other organisations from everyone.

    The setting is unset (null) on a new connection and empty on one that was scoped
    before; both must mean "no organisation".
    """
    rule = (
        f"{column} = ANY(NULLIF(current_setting('app.organisations', true), '')"
        "::uuid[])"
    )
    return (
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY;'
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY;'
        f'CREATE POLICY tenant ON "{table}" USING ({rule}) WITH CHECK ({rule});'
    )


class ProtectTenantTable(Operation):
    """Enable and force row-level security on a table, with the one policy.

    `is_read_by_definer` adds read access for the owner role, which the few SECURITY
    DEFINER functions need that run before the organisation is known; no process
    connects as the owner.
    """

    reversible = True

    def __init__(
        self,
        table: str,
        *,
        column: str = "organisation_id",
        is_read_by_definer: bool = False,
    ) -> None:
        self.table = table
        self.column = column
        self.is_read_by_definer = is_read_by_definer

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            type(self).__name__,
            [self.table],
            {"column": self.column, "is_read_by_definer": self.is_read_by_definer},
        )

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model's state is the same with and without."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        schema_editor.execute(protect_sql(self.table, self.column))
        if self.is_read_by_definer:
            schema_editor.execute(
                f'CREATE POLICY definer ON "{self.table}" FOR SELECT '
                f"TO {OWNER_ROLE} USING (true);"
            )

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        schema_editor.execute(
            f'DROP POLICY IF EXISTS definer ON "{self.table}";'
            f'DROP POLICY tenant ON "{self.table}";'
            f'ALTER TABLE "{self.table}" NO FORCE ROW LEVEL SECURITY;'
            f'ALTER TABLE "{self.table}" DISABLE ROW LEVEL SECURITY;'
        )

    def describe(self) -> str:
        return f"Row-level security on {self.table}"

"""The database's second line of defence: which organisations a transaction may see."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db import connection, transaction

_current: ContextVar[tuple[UUID, ...]] = ContextVar("organisations", default=())

_SET = "SELECT set_config('app.organisations', %s, true)"


def organisations_in_scope() -> tuple[UUID, ...]:
    """The organisations of the innermost `scoped`, none outside of one."""
    return _current.get()


@contextmanager
def scoped(organisations: Iterable[UUID]) -> Iterator[None]:
    """One transaction in which rows of `organisations`, and no others, exist.

    The setting is sent with the first query, so a block that asks nothing costs
    nothing. Nested scopes replace each other; leaving one brings the outer one back.
    Row-level security compares with it (`core.rls`); outside of any scope tenant
    tables are empty.
    """
    ids = tuple(organisations)
    outer = _current.get()
    token = _current.set(ids)
    setter = _LazySetting(ids)
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.execute_wrapper(setter):
            yield
            if is_nested:  # The end of a transaction ends the setting by itself.
                setter.restore(outer)
    finally:
        _current.reset(token)


class _LazySetting:
    """Execute wrapper that sets the organisations ahead of the first query."""

    def __init__(self, ids: tuple[UUID, ...]) -> None:
        self._ids = ids
        self._is_set = False

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        if not self._is_set:
            self._is_set = True
            self._send(self._ids)
        return execute(sql, params, many, context)

    def restore(self, outer: tuple[UUID, ...]) -> None:
        """Undo for what follows in an enclosing transaction; a rollback does it too."""
        if self._is_set and not connection.needs_rollback:
            self._send(outer)

    @staticmethod
    def _send(ids: tuple[UUID, ...]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SET, ["{" + ",".join(str(each) for each in ids) + "}"])

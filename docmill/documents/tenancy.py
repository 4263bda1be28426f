"""Whose rows a piece of work may see: said here once, and enforced by PostgreSQL's row-level security.

The policies (migration `tenant_policies`) compare each row's owner with the session's setting `docmill.tenant`: a
user's id, or `all` for the sweep, the workers' claims and the command line. A web process says nothing until a key has
named the tenant, and sees nothing until then. See docs/decisions/0050-row-level-security.md.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from docmill.pipeline.vector_stores import checked_tenant

EVERYBODY = "all"
NOBODY = ""
_scope: ContextVar[str | None] = ContextVar("docmill_tenant", default=None)
_of_process = EVERYBODY


def deny_by_default() -> None:
    """From now on this process sees no rows but in a tenant's scope: for web processes."""
    global _of_process
    _of_process = NOBODY


@contextmanager
def request_scope() -> Iterator[None]:
    """What `enter_tenant` chooses within ends here."""
    token = _scope.set(_scope.get())
    try:
        yield
    finally:
        _scope.reset(token)


def enter_tenant(user_id: int) -> None:
    """See the rows of one tenant until the `request_scope` ends. Raises ValueError for what is no user's id."""
    _scope.set(str(checked_tenant(user_id)))


@contextmanager
def tenant_scope(user_id: int) -> Iterator[None]:
    """See the rows of one tenant. Raises ValueError for what is no user's id."""
    token = _scope.set(str(checked_tenant(user_id)))
    try:
        yield
    finally:
        _scope.reset(token)


def scope() -> str:
    """Whose rows are seen now."""
    chosen = _scope.get()
    return _of_process if chosen is None else chosen


def watch_connections() -> None:
    """Have every connection of Django's carry the scope."""
    connection_created.connect(_begin, dispatch_uid="docmill.tenancy")


def _begin(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A connection, new or out of a pool, may carry anybody's scope."""
    _note(connection, None)
    if _carry_scope not in connection.execute_wrappers:
        connection.execute_wrappers.append(_carry_scope)


def _carry_scope(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Before each statement: the scope that the connection carries is the one of this work."""
    connection: BaseDatabaseWrapper = context["connection"]
    wanted = scope()
    if getattr(connection, "docmill_scope", None) != wanted:
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('docmill.tenant', %s, false)", [wanted])
        # What a transaction sets, its end may undo: within one, nothing is taken for known.
        _note(connection, None if connection.in_atomic_block else wanted)
    return execute(sql, params, many, context)


def _note(connection: BaseDatabaseWrapper, carried: str | None) -> None:
    """Keep on the connection which scope it is known to carry."""
    connection.docmill_scope = carried  # type: ignore[attr-defined]

"""The table of vectors in PostgreSQL: how it is made, and how an earlier version's is turned into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql

_BLOCKS_AT_ONCE = 5000
"""Pages of 8 KB of an earlier version's table that are moved in one transaction."""


_POLICY: tuple[LiteralString, ...] = (
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
    "DROP POLICY IF EXISTS tenant ON {table}",
    # The setting is read in scalar subqueries: once a statement, not once a row.
    "CREATE POLICY tenant ON {table} USING ("
    " (SELECT coalesce(current_setting('docmill.tenant', true), '') = 'all')"
    " OR user_id = (SELECT CASE WHEN current_setting('docmill.tenant', true) ~ '^[0-9]+$'"
    " THEN current_setting('docmill.tenant', true)::bigint END))",
)
"""A session sees the rows of the tenant in its setting `docmill.tenant`, all with `all`, else none."""


@contextmanager
def alone(session: psycopg.Connection) -> Iterator[None]:
    """One process at a time; the others wait."""
    session.execute("SELECT pg_advisory_lock(hashtext('docmill vectors'))")
    try:
        yield
    finally:
        if not session.broken:
            session.execute("SELECT pg_advisory_unlock(hashtext('docmill vectors'))")


def create(session: psycopg.Connection, table: str, column_type: LiteralString, dimension: int) -> None:
    """Create the table where it is missing; `session` commits each statement."""
    earlier = f"{table[:56]}_before"
    names = {
        "table": sql.Identifier(table),
        "earlier": sql.Identifier(earlier),
        "type": sql.SQL(column_type),
        "dimension": sql.Literal(dimension),
    }
    session.execute("CREATE EXTENSION IF NOT EXISTS vector")
    session.execute("SELECT set_config('docmill.tenant', 'all', false)")  # what is moved is of all tenants
    with session.transaction():
        if _has_column(session, table, "id"):  # version 0.1: a text id, no code, an HNSW index
            session.execute(sql.SQL("ALTER TABLE {table} RENAME TO {earlier}").format(**names))
        session.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {table} (user_id bigint NOT NULL, document_id uuid NOT NULL,"
                " ordinal int NOT NULL, embedding {type}({dimension}) NOT NULL,"
                " code bit({dimension}) NOT NULL GENERATED ALWAYS AS (binary_quantize(embedding)) STORED,"
                " PRIMARY KEY (user_id, document_id, ordinal) INCLUDE (code))"
                # Codes are read from the index alone only where a vacuum has seen the rows.
                " WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05)"
            ).format(**names)
        )
        for statement in _POLICY:
            session.execute(sql.SQL(statement).format(**names))
    if _has_column(session, earlier, "id"):
        _move(session, earlier, names)
        session.execute(sql.SQL("VACUUM (ANALYZE) {table}").format(**names))


def _move(session: psycopg.Connection, earlier: str, names: dict[str, sql.Composable]) -> None:
    """Move all rows, some pages at a time: each row is in one table or the other, whenever this is stopped."""
    indexes = session.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND NOT indisprimary", (earlier,)
    ).fetchall()
    for (index,) in indexes:
        session.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(index).strip('"'))))
    move = sql.SQL(
        "WITH moved AS (DELETE FROM {earlier} WHERE ctid >= %s::tid AND ctid < %s::tid RETURNING *)"
        " INSERT INTO {table} (user_id, document_id, ordinal, embedding)"
        " SELECT user_id, document_id::uuid, split_part(id, '#', 2)::int, embedding FROM moved"
        " ON CONFLICT (user_id, document_id, ordinal) DO NOTHING"
    ).format(**names)
    size = session.execute("SELECT pg_relation_size(%s::regclass) / 8192", (earlier,)).fetchone()
    for first in range(0, int(size[0]) + 1 if size else 0, _BLOCKS_AT_ONCE):
        session.execute(move, (f"({first},0)", f"({first + _BLOCKS_AT_ONCE},0)"))
    with session.transaction():
        session.execute(sql.SQL("LOCK TABLE {earlier}").format(**names))
        session.execute(move, ("(0,0)", f"({2**32 - 1},0)"))
        session.execute(sql.SQL("DROP TABLE {earlier}").format(**names))


def _has_column(session: psycopg.Connection, table: str, column: str) -> bool:
    found = session.execute(
        "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped",
        (table, column),
    ).fetchone()
    return found is not None

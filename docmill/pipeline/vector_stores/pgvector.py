"""Vectors in PostgreSQL with pgvector: one table for a model and dimension, one row a record.

The table holds ids, owners and vectors only: what a hit says is read from the chunks' rows.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from pgvector import Vector as PgVector
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from docmill.pipeline.embed import Embedder, Wait
from docmill.pipeline.errors import PermanentError, TransientError
from docmill.pipeline.types import Hit, Record, Vector
from docmill.pipeline.vector_stores import checked_tenant

# pgvector indexes at most 2,000 dimensions of type vector and 4,000 of halfvec.
_HALF_ABOVE = 2000


@contextmanager
def _translated(table: str) -> Iterator[None]:
    """PostgreSQL's errors as the catalogue's."""
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise TransientError("index_unavailable", "The vector store (PostgreSQL) did not answer.") from error
    except psycopg.errors.UndefinedTable as error:
        raise PermanentError(
            "index_mismatch", f"The vector table {table} does not exist: run 'docmill setup'."
        ) from error


def from_settings(settings: Any, embedder: Embedder) -> "PgvectorStore":
    """The store in the service's own database."""
    return PgvectorStore(settings.DATABASE_URL, embedder.model, embedder.dimension)


class PgvectorStore:
    """The vector store on a PostgreSQL that has pgvector ≥ 0.8, by libpq URL `database_url`."""

    name = "pgvector"

    def __init__(self, database_url: str, model: str, dimension: int) -> None:
        self.table = re.sub(r"\W+", "_", f"vectors_{model}_{dimension}".lower())[:60]
        self.dimension = dimension
        self._column_type: LiteralString = "halfvec" if dimension > _HALF_ABOVE else "vector"
        self._pool = ConnectionPool(
            database_url,
            min_size=0,
            max_size=4,
            open=False,
            timeout=10,
            check=ConnectionPool.check_connection,
            # Never a generic plan: the best one depends on the tenant's size.
            kwargs={
                "prepare_threshold": None,
                "autocommit": True,
                "connect_timeout": 5,
                "application_name": "docmill vectors",
            },
        )

    def __str__(self) -> str:
        return f"The vector table {self.table}"

    def address(self) -> str:
        """None: the vectors lie beside the rows that name them."""
        return ""

    def setup(self) -> None:
        """Create the extension, the table and its indexes where they are missing."""
        with self._session() as session, session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(hashtext('docmill vectors'))")
            session.execute("CREATE EXTENSION IF NOT EXISTS vector")
            self._run(
                session,
                "CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, user_id bigint NOT NULL,"
                " document_id text NOT NULL, embedding {type}({dimension}) NOT NULL)",
            )
            self._run(session, "CREATE INDEX IF NOT EXISTS {by_owner} ON {table} (user_id, document_id)")
            self._run(session, "CREATE INDEX IF NOT EXISTS {by_vector} ON {table} USING hnsw (embedding {type}_ip_ops)")
        self.check()

    def check(self) -> None:
        """Raise unless the table is there with the right dimension."""
        with self._session() as session:
            row = session.execute(
                "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'",
                (self.table,),
            ).fetchone()
        if row is None or row[0] != self.dimension:
            found = row[0] if row else "none"
            raise PermanentError("index_mismatch", f"{self} has dimension {found}; the model has {self.dimension}.")

    def upsert(self, tenant: int, records: Sequence[Record], wait: Wait | None = None) -> None:
        """Write records in one transaction, overwriting those with the same ids."""
        rows = [(r.id, checked_tenant(tenant), r.id.rpartition("#")[0], PgVector(r.values).to_text()) for r in records]
        statement = self._sql(
            "INSERT INTO {table} (id, user_id, document_id, embedding) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding WHERE {table}.user_id = excluded.user_id"
        )
        with self._session() as session, session.transaction(), session.cursor() as cursor:
            cursor.executemany(statement, rows)

    def wait_until_searchable(
        self, tenant: int, record_ids: Sequence[str], timeout: float, wait: Wait | None = None
    ) -> None:
        """Nothing to wait for: what is committed is found."""

    def query(self, tenant: int, vector: Vector, top_k: int, document_ids: Sequence[str] | None = None) -> list[Hit]:
        """The nearest records by cosine similarity (vectors have unit length), best first."""
        statement = self._sql(
            "SELECT id, -(embedding <#> %(vector)s::{type}) FROM {table} WHERE user_id = %(tenant)s"
            " AND (%(documents)s::text[] IS NULL OR document_id = ANY(%(documents)s))"
            " ORDER BY embedding <#> %(vector)s::{type} LIMIT %(top_k)s"
        )
        values = {
            "vector": PgVector(vector).to_text(),
            "tenant": checked_tenant(tenant),
            "documents": None if document_ids is None else list(document_ids),
            "top_k": top_k,
        }
        with self._session() as session, session.transaction():
            # Other tenants' neighbours are skipped until enough of this one are found.
            session.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            session.execute(sql.SQL("SET LOCAL hnsw.ef_search = {}").format(sql.Literal(max(40, min(1000, 2 * top_k)))))
            return [Hit(str(row[0]), float(row[1])) for row in session.execute(statement, values)]

    def record_ids(self, tenant: int, document_id: str) -> Iterator[str]:
        """The ids of all records of a document."""
        statement = self._sql("SELECT id FROM {table} WHERE user_id = %s AND document_id = %s")
        with self._session() as session:
            return iter([str(row[0]) for row in session.execute(statement, (checked_tenant(tenant), document_id))])

    def delete(self, tenant: int, record_ids: Sequence[str], wait: Wait | None = None) -> None:
        """Delete records by id; ids that are not there are ignored."""
        if record_ids:
            statement = self._sql("DELETE FROM {table} WHERE user_id = %s AND id = ANY(%s)")
            with self._session() as session:
                session.execute(statement, (checked_tenant(tenant), list(record_ids)))

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[TupleRow]]:
        with _translated(self.table):
            self._pool.open()
            with self._pool.connection() as session:
                yield session

    def _sql(self, template: LiteralString) -> sql.Composed:
        return sql.SQL(template).format(
            table=sql.Identifier(self.table),
            by_owner=sql.Identifier(f"{self.table}_o"),
            by_vector=sql.Identifier(f"{self.table}_v"),
            type=sql.SQL(self._column_type),
            dimension=sql.Literal(self.dimension),
        )

    def _run(self, session: psycopg.Connection, template: LiteralString) -> None:
        session.execute(self._sql(template))

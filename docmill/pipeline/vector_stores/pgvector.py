"""Vectors in PostgreSQL with pgvector: one table for a model and dimension, one row a record.

The table holds ids, owners and vectors only: what a hit says is read from the chunks' rows. What is small enough, a
tenant or the documents of a filter, is searched exactly. For the rest, beside each vector stands its binary code (the
sign of every number), and the primary key's index, which begins with the tenant, carries it: a query reads the tenant's
codes from that index alone, takes the nearest by Hamming distance, and orders these by their full vectors. No other
tenant's rows are ever in the way. See docs/decisions/0013-search-at-any-size.md.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import numpy as np
import psycopg
from pgvector import Vector as PgVector
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from docmill.pipeline.embed import Embedder, Wait
from docmill.pipeline.errors import PermanentError, TransientError
from docmill.pipeline.types import Hit, Record, Vector
from docmill.pipeline.vector_stores import Scope, checked_tenant, pgvector_layout, record_id

EXACT_ROWS = 10_000
"""What has no more rows is searched exactly: about as fast as by codes there."""
_CANDIDATES = 2000
"""Nearest codes whose full vectors are compared, at least."""
_CANDIDATES_A_HIT = 10
_COUNT: LiteralString = "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE user_id = %s {within} LIMIT %s) AS counted"
_EXACT: LiteralString = (
    "SELECT document_id, ordinal, -(embedding <#> %s::{type}) AS similarity FROM {table}"
    " WHERE user_id = %s {within} ORDER BY similarity DESC, document_id, ordinal LIMIT %s"
)
_BY_CODES: LiteralString = (
    "WITH nearest AS MATERIALIZED (SELECT document_id, ordinal FROM {table} WHERE user_id = %s {within}"
    " ORDER BY code <~> %s::bit({dimension}) LIMIT %s)"
    " SELECT document_id, ordinal, -(embedding <#> %s::{type}) AS similarity"
    " FROM nearest JOIN {table} USING (document_id, ordinal) WHERE user_id = %s"
    " ORDER BY similarity DESC, document_id, ordinal LIMIT %s"
)
# pgvector's type vector is indexed up to 2,000 dimensions, and a row of more would not fit on a page beside others.
_HALF_ABOVE = 2000


@contextmanager
def _translated(table: str) -> Iterator[None]:
    """PostgreSQL's errors as the catalogue's."""
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise TransientError("index_unavailable", "The vector store (PostgreSQL) did not answer.") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise PermanentError(
            "index_mismatch", f"The vector table {table} does not exist in this version's form: run 'docmill setup'."
        ) from error


def from_settings(settings: Any, embedder: Embedder) -> "PgvectorStore":
    """The store in the service's own database."""
    return PgvectorStore(settings.DATABASE_URL, embedder.model, embedder.dimension, settings.DATABASE_OWNER_URL)


class PgvectorStore:
    """The vector store on a PostgreSQL that has pgvector ≥ 0.8, by libpq URL `database_url`; `owner_url` is of the role
    that owns the tables, where that is another one."""

    name = "pgvector"

    def __init__(self, database_url: str, model: str, dimension: int, owner_url: str | None = None) -> None:
        self._owner_url = owner_url or database_url
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
        """Create the extension and the table where they are missing, and move what an earlier version's table holds;
        stopped at any point, that goes on when run again."""
        with _translated(self.table), self._of_owner() as session, pgvector_layout.alone(session):
            pgvector_layout.create(session, self.table, self._column_type, self.dimension)
        self.check()

    def check(self) -> None:
        """Raise unless the table is there with the right dimension."""
        with self._connection() as session:
            row = session.execute(
                "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'",
                (self.table,),
            ).fetchone()
        if row is None or row[0] != self.dimension:
            found = row[0] if row else "none"
            raise PermanentError("index_mismatch", f"{self} has dimension {found}; the model has {self.dimension}.")

    def upsert(self, tenant: int, records: Sequence[Record], wait: Wait | None = None) -> None:
        """Write records in one statement, overwriting those with the same ids."""
        # One row of each: a statement cannot overwrite twice.
        vectors = {_key(record.id): PgVector(record.values).to_text() for record in records}
        statement = self._sql(
            "INSERT INTO {table} (user_id, document_id, ordinal, embedding)"
            " SELECT %s, document_id, ordinal, embedding::{type}({dimension})"
            " FROM unnest(%s::uuid[], %s::int[], %s::text[]) AS rows (document_id, ordinal, embedding)"
            " ON CONFLICT (user_id, document_id, ordinal) DO UPDATE SET embedding = excluded.embedding"
        )
        documents, ordinals = [document for document, _ in vectors], [ordinal for _, ordinal in vectors]
        with self._session(tenant) as session:
            session.execute(statement, (tenant, documents, ordinals, list(vectors.values())))

    def wait_until_searchable(
        self, tenant: int, record_ids: Sequence[str], timeout: float, wait: Wait | None = None
    ) -> None:
        """Nothing to wait for: what is committed is found."""

    def query(self, tenant: int, vector: Vector, top_k: int, scope: Scope | None = None) -> list[Hit]:
        """The nearest records by cosine similarity (vectors have unit length), best first."""
        scoped = (checked_tenant(tenant), *_parameters(scope))
        text, within = PgVector(vector).to_text(), _within(scope)
        with self._session(tenant) as session:
            # The tenant's part of the index is read, and the wide rows only where their vectors are needed.
            session.execute("SET LOCAL enable_seqscan = off")
            session.execute("SET LOCAL enable_bitmapscan = off")
            if self._is_small(session, within, scoped):
                found = session.execute(self._sql(_EXACT, within=within), (text, *scoped, top_k))
            else:
                code, candidates = _code(vector), max(_CANDIDATES, _CANDIDATES_A_HIT * top_k)
                found = session.execute(
                    self._sql(_BY_CODES, within=within), (*scoped, code, candidates, text, tenant, top_k)
                )
            return [Hit(record_id(str(document), ordinal), float(score)) for document, ordinal, score in found]

    def _is_small(
        self, session: psycopg.Connection[TupleRow], within: sql.Composable, scoped: Sequence[object]
    ) -> bool:
        count = self._sql(_COUNT, within=within)
        rows = session.execute(count, (*scoped, EXACT_ROWS + 1)).fetchone()
        return rows is None or rows[0] <= EXACT_ROWS

    def record_ids(self, tenant: int, document_id: str) -> Iterator[str]:
        """The ids of all records of a document."""
        statement = self._sql("SELECT ordinal FROM {table} WHERE user_id = %s AND document_id = %s")
        with self._session(tenant) as session:
            rows = session.execute(statement, (tenant, document_id))
            return iter([record_id(document_id, int(row[0])) for row in rows])

    def delete(self, tenant: int, record_ids: Sequence[str], wait: Wait | None = None) -> None:
        """Delete records by id; ids that are not there are ignored."""
        if record_ids:
            statement = self._sql(
                "DELETE FROM {table} WHERE user_id = %s AND (document_id, ordinal) IN"
                " (SELECT * FROM unnest(%s::uuid[], %s::int[]))"
            )
            documents, ordinals = zip(*map(_key, record_ids), strict=True)
            with self._session(tenant) as session:
                session.execute(statement, (tenant, list(documents), list(ordinals)))

    @contextmanager
    def _session(self, tenant: int) -> Iterator[psycopg.Connection[TupleRow]]:
        """A transaction that sees the rows of one tenant: the setting ends with it, whoever has the session next."""
        checked_tenant(tenant)
        with self._connection() as session, session.transaction():
            session.execute("SELECT set_config('docmill.tenant', %s, true)", (str(tenant),))
            yield session

    def _of_owner(self) -> psycopg.Connection[TupleRow]:
        return psycopg.connect(self._owner_url, autocommit=True, connect_timeout=5, application_name="docmill vectors")

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[TupleRow]]:
        with _translated(self.table):
            self._pool.open()
            with self._pool.connection() as session:
                yield session

    def _sql(self, template: LiteralString, **parts: sql.Composable) -> sql.Composed:
        return sql.SQL(template).format(
            table=sql.Identifier(self.table),
            type=sql.SQL(self._column_type),
            dimension=sql.Literal(self.dimension),
            **parts,
        )


def _code(vector: Vector) -> str:
    """The vector's binary code as pgvector's binary_quantize makes it."""
    return "".join(np.where(vector > 0, "1", "0"))


def _key(record: str) -> tuple[str, int]:
    document_id, _, ordinal = record.rpartition("#")
    return document_id, int(ordinal)


def _parameters(scope: Scope | None) -> tuple[Any, ...]:
    return (*scope.parameters, *scope.skipped_parameters) if scope else ()


def _within(scope: Scope | None) -> sql.Composable:
    """The scope as conditions on a record. Its SQL is made by our own code; what users say is in its parameters."""
    if scope is None:
        return sql.SQL("")
    within = f"AND document_id IN ({scope.sql})"
    if scope.skipped_sql:
        skipped = f"({scope.skipped_sql}) AS skipped (skipped_document, skipped_ordinal)"
        same = "skipped_document = document_id AND skipped_ordinal = ordinal"
        within += f" AND NOT EXISTS (SELECT 1 FROM {skipped} WHERE {same})"  # noqa: S608 (made by our own code)
    return sql.SQL(within)

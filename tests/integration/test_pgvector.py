"""Vectors in PostgreSQL: right at any size, in any company, under any filter. A database of its own."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg import sql

from docmill.cli.background import BackgroundSystem
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.types import Record, Vectors
from docmill.pipeline.vector_stores import Scope, record_id
from docmill.pipeline.vector_stores.pgvector import EXACT_ROWS, PgvectorStore
from tests.integration.conftest import database_url as database_url_of
from tests.integration.conftest import superuser_url

DIMENSION = 64


@pytest.fixture(scope="module")
def database_url(system: BackgroundSystem) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(superuser_url(system), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} OWNER docmill_service").format(sql.Identifier(name)))
        with psycopg.connect(superuser_url(system).rpartition("/")[0] + f"/{name}", autocommit=True) as inside:
            inside.execute("CREATE EXTENSION vector")
        yield database_url_of(system).rpartition("/")[0] + f"/{name}"
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def store(database_url: str) -> PgvectorStore:
    made = PgvectorStore(database_url, f"model {uuid4().hex[:8]}", DIMENSION)
    made.setup()
    return made


def vectors(count: int, subject: int, spread: float = 0.5) -> Vectors:
    """Unit vectors around the direction of a subject, as the passages of one subject lie."""
    middle = np.random.default_rng(subject).standard_normal(DIMENSION)
    points = middle + spread * np.random.default_rng((subject, count)).standard_normal((count, DIMENSION))
    unit: NDArray[np.float32] = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit


def document(number: int) -> str:
    return str(UUID(int=number))


def fill(
    store: PgvectorStore, tenant: int, values: Vectors, first_document: int = 0, a_document: int = 10
) -> list[str]:
    """Write vectors as documents of so many chunks; the records' ids."""
    ids = [record_id(document(first_document + n // a_document), n % a_document) for n in range(len(values))]
    for at in range(0, len(ids), 2000):
        store.upsert(tenant, [Record(*one) for one in zip(ids[at : at + 2000], values[at : at + 2000], strict=True)])
    return ids


def nearest(ids: list[str], values: Vectors, query: np.ndarray, count: int) -> list[str]:
    return [ids[place] for place in np.argsort(-(values @ query), kind="stable")[:count]]


def of(*numbers: int) -> Scope:
    """A scope of these documents."""
    wanted = [document(number) for number in numbers]
    return Scope("SELECT unnest(%s::uuid[])", (wanted,), lambda: wanted)


def recall(found: list[str], wanted: list[str]) -> float:
    return len(set(found) & set(wanted)) / len(wanted)


def test_a_tenant_of_one_subject_among_others_finds_its_nearest(store: PgvectorStore) -> None:
    """What an index of all tenants' neighbours, filtered afterwards, gets wrong or leaves empty."""
    for tenant in range(2, 6):
        fill(store, tenant, vectors(1500, subject=tenant), first_document=tenant * 10_000)
    values = vectors(4000, subject=1)
    ids = fill(store, 1, values)
    for query in [*vectors(5, subject=1, spread=0.8), *vectors(5, subject=3)]:
        found = [hit.id for hit in store.query(1, query, 10)]
        assert found == nearest(ids, values, query, 10)


def test_a_large_tenant_finds_its_nearest_by_codes(store: PgvectorStore) -> None:
    values = np.concatenate([vectors(1200, subject=subject, spread=1.0) for subject in range(10)])
    assert len(values) > EXACT_ROWS
    ids = fill(store, 1, values)
    recalls = []
    for query in vectors(20, subject=3, spread=1.5):
        hits = store.query(1, query, 10)
        assert len(hits) == 10
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        recalls.append(recall([hit.id for hit in hits], nearest(ids, values, query, 10)))
    assert np.mean(recalls) >= 0.98
    assert len(store.query(1, values[0], 5000)) == 5000


@pytest.mark.parametrize("wanted", [1, 10, 250])
def test_a_filter_finds_the_nearest_of_its_documents(store: PgvectorStore, wanted: int) -> None:
    values = vectors(3000, subject=1)
    ids = fill(store, 1, values)
    fill(store, 2, values[:500])
    query = vectors(1, subject=2)[0]
    numbers = list(range(0, 300, 300 // wanted))[:wanted]
    inside = np.isin(np.arange(len(ids)) // 10, numbers)
    expected = nearest([one for one, kept in zip(ids, inside, strict=True) if kept], values[inside], query, 10)
    found = [hit.id for hit in store.query(1, query, 10, of(*numbers))]
    assert found == expected


def test_records_that_are_left_out_make_room_for_others(store: PgvectorStore) -> None:
    values = vectors(300, subject=1)
    ids = fill(store, 1, values)
    query = vectors(1, subject=2)[0]
    best = nearest(ids, values, query, 20)
    skipped = [one.rpartition("#") for one in best[:10]]
    scope = Scope(
        of(*range(30)).sql, of(*range(30)).parameters, list, "SELECT * FROM unnest(%s::uuid[], %s::int[])",
        ([document_id for document_id, _, _ in skipped], [int(ordinal) for _, _, ordinal in skipped]),
    )  # fmt: skip
    assert [hit.id for hit in store.query(1, query, 10, scope)] == best[10:]


def test_a_record_is_overwritten_read_and_deleted_within_its_tenant(store: PgvectorStore) -> None:
    values = vectors(3, subject=1)
    for tenant in (1, 2):
        fill(store, tenant, values)
    store.upsert(1, [Record(record_id(document(0), 0), values[0]), Record(record_id(document(0), 0), values[2])])
    assert {hit.id for hit in store.query(1, values[2], 2)} == {record_id(document(0), n) for n in (0, 2)}
    store.delete(1, [record_id(document(0), 0), record_id(document(9), 0)])
    assert set(store.record_ids(1, document(0))) == {record_id(document(0), n) for n in (1, 2)}
    assert len(list(store.record_ids(2, document(0)))) == 3
    nobodies: list[Any] = [0, -1, None]
    for nobody in nobodies:
        with pytest.raises(ValueError, match="tenant"):
            store.query(nobody, values[0], 1)


def earlier_table(url: str, store: PgvectorStore, values: Vectors) -> list[str]:
    """The table as version 0.1 made it, with its indexes."""
    ids = [record_id(document(n // 10), n % 10) for n in range(len(values))]
    with psycopg.connect(url) as session, session.cursor() as cursor:
        name = sql.Identifier(store.table)
        cursor.execute(
            sql.SQL(
                "CREATE EXTENSION IF NOT EXISTS vector; CREATE TABLE {t} (id text PRIMARY KEY, user_id bigint NOT NULL,"
                " document_id text NOT NULL, embedding vector(64) NOT NULL);"
                " CREATE INDEX {o} ON {t} (user_id, document_id);"
                " CREATE INDEX {v} ON {t} USING hnsw (embedding vector_ip_ops)"
            ).format(t=name, o=sql.Identifier(f"{store.table}_o"), v=sql.Identifier(f"{store.table}_v"))
        )
        cursor.executemany(
            sql.SQL("INSERT INTO {} VALUES (%s, 1, %s, %s)").format(name),
            [(one, one.rpartition("#")[0], str(list(map(float, v)))) for one, v in zip(ids, values, strict=True)],
        )
    return ids


def test_setup_moves_the_table_of_the_last_version(database_url: str) -> None:
    store = PgvectorStore(database_url, f"Old-Model {uuid4().hex[:8]}", DIMENSION)
    values = vectors(500, subject=1)
    ids = earlier_table(database_url, store, values)
    with pytest.raises(PermanentError, match="docmill setup"):
        store.query(1, values[0], 1)
    store.setup()
    store.setup()
    assert [hit.id for hit in store.query(1, values[5], 10)] == nearest(ids, values, values[5], 10)
    assert len(list(store.record_ids(1, document(3)))) == 10
    with psycopg.connect(database_url) as session:
        tables = session.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", (f"{store.table}%",)
        ).fetchall()
    assert tables == [(store.table,)]


def test_a_move_that_was_cut_short_goes_on(database_url: str) -> None:
    """As it is left by a kill between two steps: some rows here, some there."""
    store = PgvectorStore(database_url, f"old {uuid4().hex[:8]}", DIMENSION)
    values = vectors(200, subject=1)
    ids = earlier_table(database_url, store, values)
    with psycopg.connect(database_url) as session:
        session.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(*map(sql.Identifier, (store.table, f"{store.table}_before")))
        )
    store.setup()
    assert len(store.query(1, values[5], 500)) == len(ids)
    other = PgvectorStore(
        database_url, store.table.removeprefix("vectors_").rpartition("_")[0].replace("_", " "), DIMENSION
    )
    assert other.table == store.table
    other.setup()
    assert len(other.query(1, values[5], 500)) == len(ids)

"""The second wall between tenants: with the application's own filters gone, PostgreSQL still shows nothing foreign."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connections, transaction
from psycopg_pool import ConnectionPool

from docmill.cli.background import BackgroundSystem
from docmill.documents import tenancy
from docmill.documents.models import CachedVector, Chunk, Document, ScannedPage
from docmill.documents.tenancy import tenant_scope
from docmill.pipeline.types import Record
from docmill.pipeline.vector_stores.pgvector import PgvectorStore
from tests.integration.conftest import database_url, superuser_url

OWNED = (Document, Chunk, ScannedPage, CachedVector)


@pytest.fixture
def tenants(database: None) -> list[int]:
    """Two tenants with a row of each kind."""
    made = [User.objects.create_user(f"tenant-{uuid4()}").id for _ in range(2)]
    for user_id in made:
        document = Document.objects.create(
            user_id=user_id,
            filename="a",
            content_type="text/plain",
            size_bytes=1,
            sha256=uuid4().hex,
            s3_key=uuid4().hex,
        )
        place = {"token_count": 1, "first_page": 1, "last_page": 1, "start": 0, "end": 1, "source": "text"}
        Chunk.objects.create(document=document, ordinal=0, text=f"secret of {user_id}", vector_key=b"k", **place)
        ScannedPage.objects.create(document=document, number=1)
        CachedVector.objects.create(user_id=user_id, key=uuid4().bytes, values=b"v")
    return made


@pytest.fixture
def denying(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process sees nothing without a tenant, as a web process."""
    monkeypatch.setattr(tenancy, "_of_process", tenancy.NOBODY)


def owners(model: type) -> set[int]:
    path = "user_id" if model in (Document, CachedVector) else "document__user_id"
    return set(model.objects.values_list(path, flat=True))  # type: ignore[attr-defined]


def test_without_any_filter_a_tenant_sees_its_own_rows_only(tenants: list[int], denying: None) -> None:
    for model in OWNED:
        assert owners(model) == set(), "nobody's scope"
        for user_id in tenants:
            with tenant_scope(user_id):
                assert owners(model) == {user_id}, model
        assert owners(model) == set()


def test_the_sweep_sees_all(tenants: list[int]) -> None:
    for model in OWNED:
        assert set(tenants) <= owners(model)


def test_foreign_rows_are_neither_changed_nor_deleted_nor_made(tenants: list[int], denying: None) -> None:
    mine, theirs = tenants
    with tenant_scope(mine):
        assert Document.objects.filter(user_id=theirs).update(filename="mine now") == 0
        assert Chunk.objects.filter(document__user_id=theirs).delete()[0] == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            CachedVector.objects.create(user_id=theirs, key=uuid4().bytes, values=b"v")
    with tenant_scope(theirs):
        assert Document.objects.get().filename == "a"
        assert Chunk.objects.count() == 1


def test_an_empty_scope_is_an_error() -> None:
    for nobody in (0, -1, None, "1", "all"):
        with pytest.raises(ValueError, match="tenant"), tenant_scope(nobody):  # type: ignore[arg-type]
            pass


def test_a_transaction_that_is_rolled_back_takes_no_scope_with_it(tenants: list[int], denying: None) -> None:
    mine, theirs = tenants
    with tenant_scope(mine):
        assert owners(Document) == {mine}
    with tenant_scope(theirs):
        try:
            with transaction.atomic():
                assert owners(Document) == {theirs}
                raise LookupError
        except LookupError:
            pass
        assert owners(Document) == {theirs}, "what the roll-back restored is not what is seen"
    assert owners(Document) == set()


@pytest.fixture
def pool_of_one(denying: None) -> Iterator[None]:
    connection = connections["default"]
    before = connection.settings_dict.get("OPTIONS", {})
    connection.close()
    connection.settings_dict["OPTIONS"] = before | {"pool": {"min_size": 1, "max_size": 1, "timeout": 30}}
    yield
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["OPTIONS"] = before


def test_a_pool_of_one_connection_never_shows_the_last_tenants_rows(tenants: list[int], pool_of_one: None) -> None:
    wrong: list[object] = []

    def requests(user_id: int | None) -> None:
        for _ in range(25):
            if user_id is None:
                seen, right = owners(Chunk), set()
            else:
                with tenant_scope(user_id):
                    seen, right = owners(Chunk), {user_id}
            if seen != right:
                wrong.append((user_id, seen))
            connections["default"].close()  # back into the pool

    threads = [threading.Thread(target=requests, args=(who,)) for who in (*tenants, None, *tenants)]
    connections["default"].close()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_vectors_table_is_walled_too(system: BackgroundSystem, tenants: list[int]) -> None:
    store = PgvectorStore(superuser_url(system), f"wall {uuid4().hex[:8]}", 8)
    store.setup()
    with psycopg.connect(superuser_url(system), autocommit=True) as server:
        server.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {store.table} TO docmill_service")
    served = PgvectorStore(database_url(system), store.table.removeprefix("vectors_").removesuffix("_8"), 8)
    served._pool = ConnectionPool(database_url(system), min_size=1, max_size=1, open=False, kwargs={"autocommit": True})
    vector = np.ones(8, dtype=np.float32) / np.sqrt(8)
    for user_id in tenants:
        served.upsert(user_id, [Record(f"{uuid4()}#0", vector, {})])
    unfiltered = f"SELECT DISTINCT user_id FROM {store.table}"
    for user_id in tenants:
        assert len(served.query(user_id, vector, 10)) == 1
        with served._session(user_id) as session:
            assert session.execute(unfiltered).fetchall() == [(user_id,)]
        with served._connection() as session:
            assert session.execute(unfiltered).fetchall() == [], "the setting ended with its transaction"


def test_the_service_runs_by_a_role_that_neither_owns_nor_overrides(system: BackgroundSystem) -> None:
    running = system.home.running()
    assert running is not None
    for name, owns in (("DATABASE_URL", False), ("DATABASE_OWNER_URL", True)):
        with psycopg.connect(running.environ[name], autocommit=True) as session:
            role = session.execute(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert role == (False, False, False, False)
            owner = session.execute("SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'api_document'")
            assert owner.fetchone() == (owns,)
            assert session.execute("SELECT count(*) FROM api_document").fetchone() == (0,), "also for the owner"
    with psycopg.connect(running.environ["DATABASE_URL"], autocommit=True) as session:
        for change in (
            "DROP TABLE api_document",
            "ALTER TABLE api_document DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE x ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(change)

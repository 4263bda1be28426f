"""Moving to another index: built from the rows beside the one in use, complete when it comes into use, resumed where it
was stopped."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connections
from django.utils import timezone

from docmill.documents import lifecycle, reindexing
from docmill.documents.locks import lock_key
from docmill.documents.models import Document, IndexedDocument, VectorIndex
from docmill.documents.reindexing import reindex
from docmill.documents.vector_index import wanted_index
from docmill.pipeline.errors import TransientError
from tests.lifecycle.fakes import FakeVectorStore
from tests.lifecycle.house import House, another_session


@pytest.fixture
def documents(house: House) -> list[Document]:
    """Two documents in the index in use."""
    return [house.completed("one", "two"), house.completed("three", user=house.stranger)]


@pytest.fixture
def target(house: House, documents: list[Document]) -> VectorIndex:
    """Another index, which the settings name from now on."""
    house.store = FakeVectorStore(house.events, house.embedder.dimension)
    house.store.name = "new"
    return wanted_index()


def in_use() -> VectorIndex:
    return VectorIndex.objects.get(active=True)


def nothing_to_report(done: int, total: int) -> None:
    """Nobody looks."""


def test_every_completed_document_is_in_the_index_when_it_comes_into_use(
    house: House, documents: list[Document], target: VectorIndex
) -> None:
    reports: list[tuple[int, int]] = []
    house.document("in progress")
    old = reindex(target, lambda done, total: reports.append((done, total)))
    assert old is not None
    assert (old.store, in_use().store) == ("fake", "new")
    assert [house.vectors(document) for document in documents] == [
        {f"{documents[0].id}#0", f"{documents[0].id}#1"}, {f"{documents[1].id}#0"},
    ]  # fmt: skip
    assert {tenant for tenant, _ in house.store.records} == {house.tenant.id, house.stranger.id}
    assert reports[-1] == (2, 2)


def test_what_was_paid_for_once_is_not_embedded_again(house: House, target: VectorIndex) -> None:
    house.embedder.texts.clear()
    reindex(target, nothing_to_report)
    assert house.embedder.texts == []


def test_a_document_completed_meanwhile_is_there_too(house: House, target: VectorIndex) -> None:
    late = house.document("late")
    late.chunks.create(
        ordinal=0, text="late", token_count=1, first_page=1, last_page=1, start=0, end=4, vector_key=b"k"
    )

    def others_complete_it(done: int, total: int) -> None:
        Document.objects.filter(id=late.id, status="processing").update(status="completed", completed_at=timezone.now())

    reindex(target, others_complete_it)
    assert house.vectors(late) == {f"{late.id}#0"}


def test_a_document_deleted_meanwhile_leaves_nothing(
    house: House, documents: list[Document], target: VectorIndex
) -> None:
    reindex(target, lambda done, total: lifecycle.mark_deleted(documents[0]))
    assert not house.vectors(documents[0])
    assert house.vectors(documents[1])
    assert IndexedDocument.objects.get().document_id == documents[1].id


def test_a_document_that_another_holds_is_waited_for(
    house: House, documents: list[Document], target: VectorIndex
) -> None:
    with another_session() as session:
        session.execute("SELECT pg_advisory_lock(%s)", [lock_key(documents[1].id)])
        house.clock.on_sleep = session.close
        reindex(target, nothing_to_report)
    assert house.vectors(documents[1])


def test_lasting_trouble_ends_it_after_three_tries_more_and_it_goes_on_where_it_was(
    house: House, documents: list[Document], target: VectorIndex
) -> None:
    lifecycle.mark_deleted(documents[1])
    began = house.clock.monotonic()
    house.store.trouble = TransientError("index_unavailable")
    with pytest.raises(TransientError):
        reindex(target, nothing_to_report)
    assert house.clock.monotonic() - began == 2 + 4 + 8
    assert in_use().store == "fake"
    house.store.trouble = None
    reindex(target, nothing_to_report)
    assert in_use().store == "new"
    VectorIndex.objects.update(active=False)
    house.events.clear()
    reindex(target, nothing_to_report)
    assert "write vectors" not in house.events, "it was all there"


def test_no_document_slips_in_while_the_index_comes_into_use(
    house: House, documents: list[Document], target: VectorIndex
) -> None:
    reindex(target, nothing_to_report)
    VectorIndex.objects.update(active=False)
    VectorIndex.objects.filter(store="fake").update(active=True)

    def bring_into_use() -> bool:
        try:
            return reindexing._bring_into_use(target)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread, another_session() as worker:
        worker.execute("SELECT FROM api_vectorindex WHERE active FOR SHARE")  # as whoever completes a document
        answer = thread.submit(bring_into_use)
        with another_session() as onlooker:
            while not _somebody_waits(onlooker) and not answer.done():
                """Until it stands before the row."""
        worker.execute("UPDATE api_document SET completed_at = now() WHERE id = %s", [documents[0].id])
        worker.commit()
        assert not answer.result(30)
    assert in_use().store == "fake"


def _somebody_waits(session: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return session.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is not None


def test_passages_longer_than_the_new_model_reads_are_counted(house: House, documents: list[Document]) -> None:
    assert reindexing.too_long() == 0
    documents[0].chunks.filter(ordinal=1).update(token_count=house.embedder.max_tokens + 1)
    assert reindexing.too_long() == 1

"""Search shows a vector's passage only when PostgreSQL vouches for it, whatever the vector store holds."""

import dataclasses

from docmill.documents import lifecycle
from docmill.documents.models import Document
from docmill.documents.search import SearchRequest, search
from tests.lifecycle.house import House


def found(house: House, query: str = "the heron", top_k: int = 10, **wanted: object) -> list[str]:
    answer = search(house.tenant.id, SearchRequest(query, top_k, filter=wanted))
    return [hit.chunk.text for hit in answer.results]


def test_a_completed_document_is_found(house: House) -> None:
    house.completed("the heron stands by the weir", "the ferry leaves at noon")
    assert set(found(house)) == {"the heron stands by the weir", "the ferry leaves at noon"}


def test_a_deleted_document_is_never_found_though_its_vectors_are_there(house: House) -> None:
    document = house.completed()
    lifecycle.mark_deleted(document)
    assert house.vectors(document)
    assert found(house) == []


def test_a_document_in_progress_or_failed_is_never_found_though_its_vectors_are_there(house: House) -> None:
    document = house.completed()
    for status in ("processing", "failed"):
        Document.objects.filter(id=document.id).update(status=status)
        assert found(house) == []
        assert found(house, document_id=[str(document.id)]) == []


def test_a_strangers_document_is_never_found_though_its_vectors_lie_among_ours(house: House) -> None:
    document = house.completed(user=house.stranger)
    for (_, id_), record in list(house.store.records.items()):
        house.store.records[house.tenant.id, id_] = dataclasses.replace(record)
    assert found(house) == []
    assert found(house, document_id=[str(document.id)]) == []


def test_a_vector_without_a_chunk_is_never_found(house: House) -> None:
    document = house.completed("one", "two")
    document.chunks.filter(ordinal=1).delete()
    assert found(house) == ["one"]


def test_hits_that_are_not_vouched_for_do_not_crowd_out_those_that_are(house: House) -> None:
    gone = house.completed(*["the heron"] * 100)
    kept = house.completed("quite another matter")
    lifecycle.mark_deleted(gone)
    assert found(house, "the heron", top_k=1) == ["quite another matter"]
    assert house.seen(kept).status == "completed"

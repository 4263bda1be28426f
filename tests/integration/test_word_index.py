"""The words of chunks in PostgreSQL: written with them, counted, gone with them, filled in for an earlier version."""

from collections.abc import Callable

import pytest
from django.db import connection

from docmill.documents import word_index
from docmill.documents.models import Chunk, Document
from docmill.documents.word_upkeep import WordUpkeep, write_all
from tests.integration.tenant import Tenant

TEXT = "The lamp Quillfeather-42 is lit at dusk by the keeper of the eastern jetty."


@pytest.fixture
def document(tenant: Tenant) -> Document:
    ended = tenant.ingest("lamp.txt", TEXT.encode())
    assert ended["status"] == "completed"
    return Document.objects.get(id=ended["document_id"])


def count_all_in() -> None:
    while word_index.count_in():
        pass


def frequency(document: Document, word: str) -> int:
    return word_index.collection(document.user_id, [word]).frequencies.get(word, 0)


def forget_words(document: Document) -> None:
    """As an earlier version left it."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM api_chunkwords WHERE document_id = %s", [document.id])


def test_words_are_counted_a_tenant_before_and_after_they_are_added_up(document: Document) -> None:
    for _ in range(2):
        known = word_index.collection(document.user_id, ["quillfeather-42", "jetty", "absent"])
        assert known.chunks == 1
        assert known.mean_length > 5
        assert known.frequencies == {"quillfeather-42": 1, "jetty": 1}
        count_all_in()


def test_what_is_written_again_counts_once(document: Document) -> None:
    chunks = list(document.chunks.all())
    for _ in range(3):
        word_index.write(document.user_id, chunks)
        count_all_in()
    assert frequency(document, "jetty") == 1


def test_words_go_with_their_chunks(document: Document) -> None:
    count_all_in()
    document.chunks.all().delete()
    assert frequency(document, "jetty") == 0
    count_all_in()
    assert frequency(document, "jetty") == 0
    assert word_index.alike(document.user_id, "quillfeather") == []


def test_an_earlier_versions_documents_are_found_at_once_and_their_words_after_upkeep(
    tenant: Tenant, document: Document
) -> None:
    forget_words(document)
    assert [hit["text"] for hit in tenant.search("Quillfeather-42")] == [TEXT]
    assert word_index.rows([(document.id, 0)]) == {}
    WordUpkeep().round()
    assert word_index.rows([(document.id, 0)])[document.id, 0].count("jetty") == 1
    assert tenant.search("Quillfeather-42")[0]["term_similarity"] > 0


def test_filling_goes_on_where_it_was_stopped(new_tenant: Callable[[], Tenant]) -> None:
    own = new_tenant()
    for number in range(3):
        own.ingest(f"{number}.txt", f"{TEXT} It is number {number}.".encode())
    chunks = list(Chunk.objects.filter(document__filename__in=["0.txt", "1.txt", "2.txt"]).order_by("-id")[:3])
    for chunk in chunks:
        forget_words(chunk.document)
    last, written = word_index.fill(chunks[-1].id - 1, at_once=1)
    assert (last, written) == (chunks[-1].id, 1)
    assert write_all(lambda done, total: None) >= 2
    assert len(word_index.rows([(chunk.document_id, chunk.ordinal) for chunk in chunks])) == 3
    assert write_all(lambda done, total: None) == 0

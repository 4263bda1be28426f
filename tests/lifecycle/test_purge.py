"""What deleted and failed documents left is removed: vectors first, verified, then the original, then the rows."""

import threading

import pytest

from docmill.documents import lifecycle
from docmill.documents import purge as purging
from docmill.documents.locks import document_lock
from docmill.documents.models import Chunk, Document
from docmill.documents.purge import Clearing, clear_away, clear_failed, purge
from docmill.pipeline.errors import PermanentError, TransientError
from tests.lifecycle.house import House


@pytest.fixture
def deleted(house: House) -> Document:
    document = house.completed()
    lifecycle.mark_deleted(document)
    house.events.clear()
    return document


def test_a_deleted_document_is_gone_without_a_trace(house: House, deleted: Document) -> None:
    assert purge(deleted.id)
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert not house.store.records
    assert not house.originals.kept


def test_vectors_go_first_and_are_verified_before_the_original_goes(house: House, deleted: Document) -> None:
    purge(deleted.id)
    assert house.events == ["delete vectors", "list vectors", "delete original"]


def test_vectors_that_are_still_listed_keep_the_original_and_the_rows(house: House, deleted: Document) -> None:
    house.store.shows_deleted = True
    with pytest.raises(TransientError, match="2 vectors of a removed document are still listed"):
        purge(deleted.id)
    assert deleted.chunks.count() == 2
    assert deleted.s3_key in house.originals.kept
    house.store.shows_deleted = False
    assert purge(deleted.id)


def test_vectors_without_a_row_are_found_and_removed(house: House, deleted: Document) -> None:
    deleted.chunks.all().delete()
    with pytest.raises(TransientError):
        purge(deleted.id)
    assert not house.vectors(deleted)
    assert purge(deleted.id)


def test_storage_that_is_down_keeps_the_rows(house: House, deleted: Document) -> None:
    house.originals.trouble = TransientError("storage_unavailable")
    with pytest.raises(TransientError):
        purge(deleted.id)
    assert deleted.chunks.count() == 2
    house.originals.trouble = None
    assert purge(deleted.id)


def test_a_document_that_a_worker_still_holds_is_left(house: House, deleted: Document) -> None:
    with document_lock(deleted.id):
        assert not purge(deleted.id)
    assert house.events == []
    assert purge(deleted.id)


def test_a_document_that_is_not_deleted_is_left(house: House) -> None:
    document = house.completed()
    assert not purge(document.id)
    assert len(house.vectors(document)) == 2


def test_a_process_with_the_settings_of_another_index_purges_nothing(house: House, deleted: Document) -> None:
    house.moves_to_another_index()
    with pytest.raises(PermanentError, match="The index in use is another"):
        purge(deleted.id)
    assert len(house.vectors(deleted)) == 2


def test_a_failed_document_keeps_its_row_and_loses_its_vectors(house: House) -> None:
    document = house.completed()
    Document.objects.filter(id=document.id).update(status="failed")
    assert clear_failed(document.id)
    assert house.seen(document).status == "failed"
    assert not document.chunks.exists()
    assert not house.vectors(document)
    assert document.s3_key in house.originals.kept


def test_a_failed_document_that_was_started_again_is_left(house: House) -> None:
    document = house.completed()
    lifecycle.start_again(document)
    assert not clear_failed(document.id)
    assert len(house.vectors(document)) == 2


def test_trouble_with_one_document_postpones_that_one(house: House, deleted: Document) -> None:
    other = house.completed()
    deleted.chunks.all().delete()  # its vectors are found only when they are listed, which postpones it
    lifecycle.mark_deleted(other)
    clear_away()
    assert list(Document.objects.values_list("id", flat=True)) == [deleted.id]
    clear_away()
    assert not Document.objects.exists()


def _wait_for_rounds() -> None:
    for thread in threading.enumerate():
        if thread.name == "clearing":
            thread.join(30)
            assert not thread.is_alive()


def test_a_round_runs_beside_the_sweep(house: House, deleted: Document) -> None:
    Clearing().begin()
    _wait_for_rounds()
    assert not Document.objects.exists()


def test_a_round_that_hangs_holds_nobody_up_and_is_not_joined_by_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    def hangs() -> None:
        begun.release()
        assert may_end.wait(30)

    monkeypatch.setattr(purging, "clear_away", hangs)
    clearing = Clearing()
    clearing.begin()
    assert begun.acquire(timeout=30)
    clearing.begin()
    clearing.begin()
    may_end.set()
    _wait_for_rounds()
    assert not begun.acquire(blocking=False), "one round at a time"
    clearing.begin()
    assert begun.acquire(timeout=30), "the next one when it has ended"
    _wait_for_rounds()


def test_a_round_that_fails_is_followed_by_the_next(
    house: House, deleted: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise RuntimeError("a bug")

    clearing = Clearing()
    with monkeypatch.context() as patch:
        patch.setattr(purging, "clear_away", fails)
        clearing.begin()
        _wait_for_rounds()
    clearing.begin()
    _wait_for_rounds()
    assert not Document.objects.exists()

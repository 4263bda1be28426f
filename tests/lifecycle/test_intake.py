"""An upload is stored, written down, and only then put on a queue; the same content is one document."""

import threading

import pytest
from django.db import connections

from docmill.documents import intake, lifecycle
from docmill.documents.intake import accept
from docmill.documents.models import Document
from docmill.pipeline.errors import TransientError
from docmill.worker.queues import NEW
from tests.lifecycle.house import House


def test_an_upload_is_stored_written_down_and_enqueued(house: House) -> None:
    document, created = accept(house.tenant.id, house.upload("the heron"))
    assert created
    assert house.originals.kept == {document.s3_key: b"the heron"}
    (message,) = house.broker.taken()
    assert (message.queue, message.args) == (NEW, (document.s3_key, house.tenant.id, str(document.id)))
    assert house.work_on(document).status == "completed"


def test_no_row_is_written_without_its_original(house: House) -> None:
    house.originals.trouble = TransientError("storage_unavailable")
    with pytest.raises(TransientError):
        accept(house.tenant.id, house.upload("the heron"))
    assert not Document.objects.exists()
    assert house.broker.taken() == []


def test_an_upload_is_accepted_while_the_broker_is_down(house: House) -> None:
    house.broker.down = True
    document, created = accept(house.tenant.id, house.upload("the heron"))
    assert created
    assert house.seen(document).status == "processing"


def test_the_same_content_is_the_same_document(house: House) -> None:
    first, _ = accept(house.tenant.id, house.upload("the heron"))
    again, created = accept(house.tenant.id, house.upload("the heron"))
    assert (again.id, created) == (first.id, False)
    assert len(house.originals.kept) == len(house.broker.taken()) == 1


def test_the_same_content_of_a_stranger_or_after_a_delete_is_another_document(house: House) -> None:
    first, _ = accept(house.tenant.id, house.upload("the heron"))
    assert accept(house.stranger.id, house.upload("the heron"))[1]
    lifecycle.mark_deleted(first)
    assert accept(house.tenant.id, house.upload("the heron"))[1]


def test_the_same_file_at_once_is_one_document(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = [house.upload("the heron") for _ in range(4)]
    together, existing = threading.Barrier(len(uploads)), intake._existing
    results: list[tuple[Document, bool]] = []

    def all_see_nothing_at_first(user_id: int, sha256: str) -> Document | None:
        if getattr(seen, "once", False):
            return existing(user_id, sha256)
        seen.once = True
        known = existing(user_id, sha256)
        together.wait(30)
        return known

    def one(upload: intake.Upload) -> None:
        try:
            results.append(accept(house.tenant.id, upload))
        finally:
            connections.close_all()

    seen = threading.local()
    monkeypatch.setattr(intake, "_existing", all_see_nothing_at_first)
    threads = [threading.Thread(target=one, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({document.id for document, _ in results}) == 1
    assert [created for _, created in results].count(True) == 1
    assert list(house.originals.kept) == [Document.objects.get().s3_key], "the others' originals are removed"
    assert len(house.broker.taken()) == 1

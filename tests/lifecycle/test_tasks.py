"""A task's result tells how its document ended; the messages that follow are sent by the same rules."""

from typing import Any

import pytest

from docmill.api import tasks
from docmill.documents import lifecycle, locks
from docmill.documents.locks import document_lock
from docmill.documents.models import Document
from docmill.pipeline.errors import TransientError
from docmill.worker.queues import ABANDONED, BEGUN, ENQUEUE_RETRY, HOUSEKEEPING, NEW, PROCESS_DOCUMENT
from tests.lifecycle.house import House, another_session


def outcome(document: Document, queue: str = NEW) -> Any:
    """The state and the result of one message for the document."""
    result = tasks.process_document.apply((document.s3_key, document.user_id, str(document.id)), routing_key=queue)
    return result.state, result.result


def test_a_completed_document_is_a_task_that_succeeded(house: House) -> None:
    document = house.document("one")
    success = ("SUCCESS", {"document_id": str(document.id), "status": "completed", "chunks": 1})
    assert outcome(document) == success
    paid = len(house.embedder.texts)
    assert outcome(document) == success, "one more message gives the same result"
    assert len(house.embedder.texts) == paid
    assert house.seen(document).attempt == 1


def test_a_failed_document_is_a_task_that_failed(house: House) -> None:
    document = house.document("")
    for _ in range(2):
        state, error = outcome(document)
        assert (state, error.code) == ("FAILURE", "no_text")


def test_a_planned_retry_waits_in_housekeepings_hands(house: House) -> None:
    house.originals.trouble = TransientError("storage_unavailable")
    document = house.document()
    assert outcome(document)[0] == "RETRY"
    (message,) = house.broker.taken()
    assert (message.task, message.args, message.queue) == (ENQUEUE_RETRY, (str(document.id),), HOUSEKEEPING)
    assert message.eta == house.seen(document).next_retry_at
    tasks.enqueue_retry(str(document.id))
    (message,) = house.broker.taken()
    assert (message.task, message.queue) == (PROCESS_DOCUMENT, BEGUN)


def test_a_retry_of_a_document_that_was_deleted_meanwhile_is_not_enqueued(house: House) -> None:
    house.originals.trouble = TransientError("storage_unavailable")
    document = house.work_on(house.document())
    lifecycle.mark_deleted(document)
    tasks.enqueue_retry(str(document.id))
    assert house.broker.taken() == []


def test_a_message_for_a_document_that_is_held_or_deleted_makes_no_result(house: House) -> None:
    held, deleted = house.document(), house.document()
    lifecycle.mark_deleted(deleted)
    with document_lock(held.id):
        assert outcome(held)[0] == "IGNORED"
    assert outcome(deleted)[0] == "IGNORED"


@pytest.mark.parametrize("stopping", [True, False])
def test_a_document_given_back_by_a_stopping_worker_goes_before_what_is_new(house: House, stopping: bool) -> None:
    document = house.document()
    give_back = house.tells_the_worker_to_stop if stopping else house.moves_to_another_index
    house.extractor.after_page = lambda number: give_back()
    assert outcome(document)[0] == "IGNORED"
    (message,) = house.broker.taken()
    assert (message.task, message.queue) == (PROCESS_DOCUMENT, BEGUN if stopping else NEW)


@pytest.mark.parametrize("queue", [ABANDONED, NEW])
def test_only_a_message_for_what_a_dead_worker_left_waits_for_that_workers_lock(
    house: House, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    document = house.left_open()
    monkeypatch.setattr(locks, "time", house.clock)
    with another_session() as dead:
        dead.execute("SELECT pg_advisory_lock(%s)", [locks.lock_key(document.id)])
        house.clock.on_sleep = dead.close
        state, _ = outcome(document, queue)
    assert state == ("SUCCESS" if queue == ABANDONED else "IGNORED")

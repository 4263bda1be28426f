"""An attempt: claimed by one worker, counted before it works, and ended in one of the ways that the row tells."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings

from docmill.documents import lifecycle, locks
from docmill.documents.attempt import Attempt
from docmill.documents.locks import OUTLIVES_ITS_PROCESS, document_lock
from docmill.documents.models import Document, VectorIndex
from docmill.pipeline.errors import HandedOverError, PermanentError, StaleAttemptError, TransientError
from docmill.worker import shutdown
from tests.lifecycle.clock import Clock
from tests.lifecycle.house import House, another_session

AWAY = TransientError("storage_unavailable")


def test_a_document_is_read_embedded_indexed_and_completed(house: House) -> None:
    document = house.work_on(house.document("one", "two", "three"))
    assert (document.status, document.stage, document.progress) == ("completed", "done", 100)
    assert (document.attempt, document.claimed_at, document.error) == (1, None, None)
    assert (document.pages_total, document.pages_done, document.chunks_total, document.chunks_done) == (3, 3, 3, 3)
    assert list(document.chunks.order_by("ordinal").values_list("text", flat=True)) == ["one", "two", "three"]
    assert house.vectors(document) == {f"{document.id}#{ordinal}" for ordinal in range(3)}
    assert house.events[0] == "download original"
    assert house.events[-1] == "wait until searchable"


def test_a_document_that_a_worker_holds_is_left_to_it(house: House) -> None:
    document = house.document()
    with document_lock(document.id) as lock:
        assert lock is not None
        assert lifecycle.process(document.id, has_helpers=False) is None
    assert house.seen(document).attempt == 0
    assert house.work_on(document).status == "completed", "the lock goes with its session"


def test_an_attempt_is_counted_before_it_works(house: House) -> None:
    document = house.document()
    counted = []
    house.extractor.after_page = lambda number: counted.append(house.seen(document))
    house.work_on(document)
    assert [(seen.attempt, seen.claimed_at, seen.stage) for seen in counted] == [
        (1, house.clock.now(), "extracting")
    ] * 2


def test_a_document_that_has_ended_or_is_deleted_is_never_claimed(house: House) -> None:
    deleted = house.document()
    lifecycle.mark_deleted(deleted)
    for document in (house.completed(), deleted):
        before = house.seen(document)
        assert lifecycle.process(document.id, has_helpers=False) is None
        assert house.seen(document).attempt == before.attempt


def test_a_document_whose_worker_died_is_tried_once_more(house: House) -> None:
    document = house.left_open()
    ended = house.work_on(document)
    assert (ended.status, ended.attempt, ended.crashes) == ("completed", 2, 1)


def test_a_document_that_loses_two_workers_fails_with_that_reason(house: House) -> None:
    document = house.left_open()
    lifecycle.claim(document.id)
    house.events.clear()
    ended = house.work_on(document)
    assert (ended.status, ended.attempt, ended.crashes, ended.claimed_at) == ("failed", 2, 2, None)
    assert ended.error is not None
    assert ended.error["code"] == "worker_crashed"
    assert house.events == [], "a third worker is not put at risk"


def test_trouble_is_retried_after_2_4_and_8_seconds_and_then_fails(house: House, clock: Clock) -> None:
    document, waits = house.document(), []
    house.originals.trouble = AWAY
    while (seen := house.work_on(document)).status == "processing":
        assert seen.next_retry_at is not None
        assert (seen.claimed_at, seen.last_error and seen.last_error["code"]) == (None, AWAY.code)
        waits.append((seen.next_retry_at - clock.now()).total_seconds())
        clock.passes(waits[-1])
    assert waits == [2, 4, 8]
    assert (seen.status, seen.attempt, seen.crashes) == ("failed", 4, 0)
    assert seen.error == {
        "code": "storage_unavailable", "stage": "downloading", "message": AWAY.message, "retryable": True,
    }  # fmt: skip


def test_a_retry_is_not_begun_before_it_is_due(house: House, clock: Clock) -> None:
    document = house.document()
    house.originals.trouble = AWAY
    house.work_on(document)
    house.originals.trouble = None
    clock.passes(1)
    assert house.work_on(document).attempt == 1
    clock.passes(1)
    assert house.work_on(document).status == "completed"


def test_a_retry_that_was_planned_before_a_clock_was_set_back_is_due(house: House, clock: Clock) -> None:
    document = house.document()
    house.originals.trouble = AWAY
    house.work_on(document)
    house.originals.trouble = None
    clock.is_set(-3600)
    assert house.work_on(document).status == "completed"


def test_what_would_fail_again_fails_at_once(house: House) -> None:
    document = house.work_on(house.document(""))
    assert (document.status, document.attempt, document.retries) == ("failed", 1, 0)
    assert document.error is not None
    assert document.error["code"] == "no_text"
    assert document.completed_at is not None


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(KeyError("a bug"), "internal_error"), (OSError(28, "No space left on device"), "disk_full")],
)
def test_what_nobody_foresaw_is_tried_again(house: House, trouble: Exception, code: str) -> None:
    house.embedder.trouble = trouble
    document = house.work_on(house.document())
    assert (document.status, document.retries) == ("processing", 1)
    assert document.last_error is not None
    assert document.last_error["code"] == code


def test_memory_that_runs_out_is_a_crash(house: House) -> None:
    house.embedder.trouble = MemoryError()
    document = house.document()
    with pytest.raises(MemoryError):
        lifecycle.process(document.id, has_helpers=False)
    assert house.seen(document).claimed_at is not None, "left open"
    house.embedder.trouble = None
    assert house.work_on(document).crashes == 1


def test_what_was_embedded_before_trouble_is_not_paid_for_again(house: House, clock: Clock) -> None:
    document = house.document("one", "two", "three")
    house.store.trouble = TransientError("index_unavailable")
    house.work_on(document)
    paid = list(house.embedder.texts)
    house.store.trouble = None
    clock.passes(2)
    ended = house.work_on(document)
    assert ended.status == "completed"
    assert ended.vectors_reused == len(paid) > 0
    assert sorted(house.embedder.texts) == ["one", "three", "two"]


def test_a_stale_attempt_writes_nothing(house: House) -> None:
    document = house.document()

    def others_take_over(number: int) -> None:
        Document.objects.filter(id=document.id).update(attempt=7, stage="embedding", claimed_at=house.clock.now())

    house.extractor.after_page = others_take_over
    house.work_on(document)
    seen = house.seen(document)
    assert (seen.status, seen.attempt, seen.stage) == ("processing", 7, "embedding")
    assert seen.claimed_at == house.clock.now()
    assert not seen.chunks.exists()
    assert not house.store.records


def test_a_stale_attempt_does_not_complete(house: House) -> None:
    document = house.left_open()
    with document_lock(document.id) as lock:
        assert lock is not None
        stale = Attempt(document, lock)
        lifecycle.claim(document.id)
        ends: list[Callable[[], None]] = [
            lambda: lifecycle.complete(stale, 1),
            lambda: lifecycle.fail(stale, PermanentError("corrupt")),
            lambda: lifecycle.retry_later(stale, AWAY),
            lambda: lifecycle.give_back(stale),
        ]
        for end in ends:
            with pytest.raises(StaleAttemptError):
                end()
    seen = house.seen(document)
    assert (seen.status, seen.stage, seen.attempt, seen.next_retry_at) == ("processing", "downloading", 2, None)


def test_a_document_deleted_while_it_is_worked_on_leaves_no_vectors_behind(house: House) -> None:
    document = house.document()
    house.extractor.after_page = lambda number: lifecycle.mark_deleted(document)
    house.work_on(document)
    seen = house.seen(document)
    assert (seen.status, seen.deleted_at) == ("processing", house.clock.now())
    assert not seen.chunks.exists()
    assert not house.store.records


def test_a_worker_told_to_stop_gives_its_document_back(house: House) -> None:
    document = house.document()
    house.extractor.after_page = lambda number: house.tells_the_worker_to_stop()
    seen = house.work_on(document)
    assert (seen.status, seen.stage, seen.claimed_at, seen.enqueued_at) == ("processing", "queued", None, None)
    assert (seen.attempt, seen.crashes, seen.retries) == (1, 0, 0)
    assert seen.queued_at == house.clock.now()


def test_a_document_given_back_has_not_crashed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    document = house.document()
    with monkeypatch.context() as stopping:
        stopping.setattr(shutdown, "is_due", lambda: True)
        house.work_on(document)
    ended = house.work_on(document)
    assert (ended.status, ended.attempt, ended.crashes) == ("completed", 2, 0)


def test_a_worker_within_its_grace_finishes(house: House) -> None:
    shutdown._remember()
    assert shutdown.is_asked()
    assert house.work_on(house.document()).status == "completed"


def test_a_stage_beyond_its_limit_fails_as_timeout(house: House, clock: Clock) -> None:
    document = house.document()
    house.extractor.after_page = lambda number: clock.passes(settings.STAGE_SECONDS["extracting"] + 1)
    ended = house.work_on(document)
    assert ended.status == "failed"
    assert ended.error is not None
    assert (ended.error["code"], ended.error["stage"]) == ("timeout", "extracting")


def test_a_child_ended_by_its_stages_alarm_leaves_a_timeout(house: House) -> None:
    document = house.left_open()
    assert lifecycle.fail_timed_out(document.id)
    seen = house.seen(document)
    assert (seen.status, seen.claimed_at, seen.crashes) == ("failed", None, 1)
    assert seen.error is not None
    assert (seen.error["code"], seen.error["stage"]) == ("timeout", "downloading")


def test_an_alarm_that_comes_late_fails_no_other_attempt(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "OUTLIVES_ITS_PROCESS", 0.0)
    held, waiting, ended = house.left_open(), house.document(), house.completed()
    with document_lock(held.id) as lock:
        assert lock is not None
        assert not lifecycle.fail_timed_out(held.id)
    for document in (waiting, ended):
        assert not lifecycle.fail_timed_out(document.id)
    assert [house.seen(one).status for one in (held, waiting, ended)] == ["processing", "processing", "completed"]


def test_a_worker_with_the_settings_of_another_index_leaves_documents_alone(house: House) -> None:
    document = house.document()
    house.moves_to_another_index()
    seen = house.work_on(document)
    assert (seen.attempt, seen.status) == (0, "processing")


def test_an_index_that_comes_into_use_meanwhile_hands_the_document_over(house: House) -> None:
    document = house.document("one")
    house.extractor.after_page = lambda number: house.moves_to_another_index()
    seen = house.work_on(document)
    assert (seen.status, seen.stage, seen.claimed_at, seen.crashes) == ("processing", "queued", None, 0)


def test_complete_raises_handed_over_when_another_index_is_in_use(house: House) -> None:
    document = house.left_open()
    with document_lock(document.id) as lock:
        assert lock is not None
        attempt = Attempt(document, lock)
        VectorIndex.objects.all().delete()
        with pytest.raises(HandedOverError):
            lifecycle.complete(attempt, 1)
    assert house.seen(document).status == "processing"


def test_a_failed_document_starts_again_as_new(house: House) -> None:
    document = house.document()
    house.left_open()
    Document.objects.filter(id=document.id).update(
        status="failed", crashes=2, retries=3, error={"code": "worker_crashed"}, progress=40, pages_done=2
    )
    before = house.seen(document)
    assert lifecycle.start_again(before)
    seen = house.seen(document)
    assert (seen.status, seen.stage, seen.crashes, seen.retries, seen.error) == ("processing", "queued", 0, 0, None)
    assert (seen.progress, seen.pages_done, seen.claimed_at) == (0, 0, None)
    assert seen.task_id != document.task_id
    assert house.work_on(document).status == "completed"


def test_only_a_document_that_has_ended_starts_again(house: House) -> None:
    deleted = house.completed()
    lifecycle.mark_deleted(deleted)
    for document in (house.document(), house.left_open(), deleted):
        before = house.seen(document)
        assert not lifecycle.start_again(document)
        assert house.seen(document).task_id == before.task_id


def test_a_shorter_second_reading_leaves_nothing_of_the_first(house: House) -> None:
    document = house.completed("one", "two", "three")
    house.originals.kept[document.s3_key] = b"one"
    lifecycle.start_again(document)
    ended = house.work_on(document)
    assert (ended.chunks_total, ended.chunks.count()) == (1, 1)
    assert house.vectors(document) == {f"{document.id}#0"}


def test_deleting_ends_the_attempt_that_is_open(house: House) -> None:
    document = house.left_open()
    lifecycle.mark_deleted(document)
    assert house.seen(document).attempt == document.attempt + 1
    first = house.seen(document).deleted_at
    house.clock.passes(timedelta(minutes=1).total_seconds())
    lifecycle.mark_deleted(document)
    assert house.seen(document).deleted_at == first, "deleted once"


def test_the_index_stays_in_use_while_a_document_is_completed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    close, held = Attempt.close, []

    def others_would_change_it(attempt: Attempt, **fields: Any) -> None:
        with another_session() as session:
            try:
                session.execute("SELECT FROM api_vectorindex WHERE active FOR UPDATE NOWAIT")
            except psycopg.errors.LockNotAvailable:
                held.append(attempt)
        close(attempt, **fields)

    monkeypatch.setattr(Attempt, "close", others_would_change_it)
    assert house.work_on(house.document()).status == "completed"
    assert held


def test_a_dead_workers_lock_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    document = house.left_open()
    monkeypatch.setattr(locks, "time", house.clock)
    with another_session() as dead:
        dead.execute("SELECT pg_advisory_lock(%s)", [locks.lock_key(document.id)])
        house.clock.on_sleep = dead.close
        ended = lifecycle.process(document.id, has_helpers=False, patience=OUTLIVES_ITS_PROCESS)
    assert ended is not None
    assert ended.status == "completed"


def test_an_attempt_that_lost_its_lock_goes_no_further(house: House) -> None:
    document = house.document()

    def the_session_is_lost(number: int) -> None:
        with another_session() as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'docmill lock'"
                " AND datname = current_database()"
            )

    house.extractor.after_page = the_session_is_lost
    seen = house.work_on(document)
    assert (seen.status, seen.retries, seen.chunks.count()) == ("processing", 1, 0)
    assert not house.store.records

"""The document's life after it is accepted: claimed, worked on, and completed, failed, given back or deleted."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F
from django.utils import timezone

from docmill import adapters, sentry
from docmill.documents.attempt import Attempt
from docmill.documents.locks import OUTLIVES_ITS_PROCESS, document_lock
from docmill.documents.models import Document
from docmill.documents.ocr_fanout import FanoutExtractor
from docmill.documents.tenancy import tenant_scope
from docmill.documents.vector_cache import PostgresVectorCache
from docmill.documents.vector_index import index_is_ours
from docmill.pipeline.errors import (
    DocmillError,
    HandedOverError,
    PermanentError,
    StaleAttemptError,
    TransientError,
    is_disk_full,
    is_out_of_memory,
)
from docmill.pipeline.ingest import Adapters, Job, ingest
from docmill.worker import shutdown

log = structlog.get_logger("docmill.documents")

RETRY_DELAYS = (2, 4, 8)
"""Seconds before each retry after transient trouble."""
FARTHEST_AHEAD = timedelta(seconds=max(RETRY_DELAYS) + 2)
"""A retry that seems to lie further ahead was planned before a clock was set back, and is due."""
CRASHES_ALLOWED = 2
"""A document whose worker died this often is not tried again."""
_WAIT_FOR_DATABASE = 30.0
"""Seconds for which a message that finds the database away is held: the next one may take a minute to come."""
_RECORD_WITHIN = 60.0
"""Seconds to go on trying to write down how an attempt ended while the database is away."""


def process(document_id: uuid.UUID, *, has_helpers: bool, patience: float = 0.0) -> Document | None:
    """Work on a document if nobody does, and return its row as the attempt left it.

    None means that there was nothing to do: another worker holds it, it is not due yet, or it has ended or is deleted.
    `has_helpers` says whether other workers can be asked to read pages of a long scan. `patience` is for how many
    seconds another worker's lock is waited for. Never raises for trouble with the document or a part; the row says
    how it ended. Raises MemoryError, which leaves the attempt open as a crash does.
    """
    deadline = time.monotonic() + _WAIT_FOR_DATABASE
    while True:
        try:
            return _process(document_id, has_helpers, patience)
        except (OperationalError, InterfaceError, psycopg.OperationalError) as error:
            log.warning("database_unavailable", document_id=str(document_id), error=str(error))
        if time.monotonic() > deadline or shutdown.is_asked():
            return None
        close_old_connections()
        time.sleep(1)


def _process(document_id: uuid.UUID, has_helpers: bool, patience: float) -> Document | None:
    if not index_is_ours():
        log.error("another_index_is_in_use", advice="start this process again with the settings of the index")
        return None
    with document_lock(document_id, patience) as lock:
        if lock is None:
            return None
        document = claim(document_id)
        if document is None or document.status != Document.Status.PROCESSING:
            return document
        told = {"document_id": str(document.id), "user_id": document.user_id, "attempt": document.attempt}
        with structlog.contextvars.bound_contextvars(**told), tenant_scope(document.user_id):
            return _work(Attempt(document, lock), has_helpers)


def claim(document_id: uuid.UUID) -> Document | None:
    """Begin the next attempt; the caller holds the lock. The attempt is counted before the work starts.

    An earlier attempt that was never closed means that its worker died: at the second time the document fails.
    """
    now = timezone.now()
    with transaction.atomic():
        document = Document.objects.in_progress().select_for_update().filter(id=document_id).first()
        if document is None or _is_early(document, now):
            return None
        if document.claimed_at is not None:
            document.crashes += 1
        if document.crashes >= CRASHES_ALLOWED:
            _mark_failed(document, PermanentError("worker_crashed"))
        else:
            document.attempt += 1
            document.claimed_at = now
            document.stage = Document.Stage.DOWNLOADING
            document.next_retry_at = None
            document.enqueued_at = None  # whatever was enqueued, it is answered
            document.timings = {"queued": round((now - document.queued_at).total_seconds(), 3)}
        document.save()
    return document


def _is_early(document: Document, now: datetime) -> bool:
    due = document.next_retry_at
    return due is not None and timedelta(seconds=0.5) < due - now < FARTHEST_AHEAD


def _work(attempt: Attempt, has_helpers: bool) -> Document:
    document = attempt.document
    log.info("attempt_started", filename=document.filename)
    try:
        try:
            chunks_total = ingest(_job(document), _adapters(attempt, has_helpers), attempt)
        finally:
            attempt.stop_clock()
        _record(lambda: complete(attempt, chunks_total))
    except StaleAttemptError:
        log.info("attempt_superseded")
    except HandedOverError:
        _record(lambda: give_back(attempt))
    except PermanentError as error:
        _record(partial(fail, attempt, error))
    except TransientError as error:
        _record(partial(retry_later, attempt, error))
    except (DatabaseError, InterfaceError, psycopg.Error) as error:
        log.warning("database_trouble", error=str(error))
        _record(lambda: retry_later(attempt, TransientError("database_unavailable")))
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        _record(partial(retry_later, attempt, _unexpected(error)))
    return document


def _unexpected(error: Exception) -> TransientError:
    if is_disk_full(error):
        return TransientError("disk_full")
    log.error("unexpected_error", exc_info=error)
    trouble = TransientError("internal_error")
    trouble.__cause__ = error
    return trouble


def _record(write: Callable[[], None]) -> None:
    """Write down an attempt's end, through a database that may be away for a while.

    When it stays away the row says that the attempt is open, and the sweep takes it up.
    """
    deadline = time.monotonic() + _RECORD_WITHIN
    while True:
        try:
            close_old_connections()
            write()
        except StaleAttemptError:
            log.info("attempt_superseded")
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
            continue
        return


def complete(attempt: Attempt, chunks_total: int) -> None:
    """Write 'completed': from this moment search vouches for the document.

    Raises HandedOverError when another index came into use meanwhile: a worker with its settings must take over.
    """
    with transaction.atomic():
        if not index_is_ours(hold=True):
            raise HandedOverError
        attempt.close(
            status=Document.Status.COMPLETED,
            stage=Document.Stage.DONE,
            progress=100,
            chunks_total=chunks_total,
            chunks_done=chunks_total,
            completed_at=timezone.now(),
            error=None,
        )
        attempt.document.chunks.filter(ordinal__gte=chunks_total).delete()
    log.info("document_completed", chunks=chunks_total, pages=attempt.document.pages_done)


def fail_timed_out(document_id: uuid.UUID) -> bool:
    """Fail a document whose worker child was ended by the alarm of its stage; False if another worker has taken it up
    or there is nothing to do."""
    with document_lock(document_id, patience=OUTLIVES_ITS_PROCESS) as lock:
        document = Document.objects.in_progress().filter(id=document_id).first()
        if lock is None or document is None or document.claimed_at is None:
            return False
        sentence = f"The stage '{document.stage}' went far beyond its limit and was ended."
        fail_left_open(document, PermanentError("timeout", sentence))
    return True


def fail_left_open(document: Document, error: DocmillError) -> None:
    """Write 'failed' for a document whose worker died; the caller holds the lock."""
    document.crashes += 1
    _mark_failed(document, error)
    document.save()


def fail(attempt: Attempt, error: DocmillError) -> None:
    """Write 'failed' with the reason."""
    attempt.close(
        status=Document.Status.FAILED, completed_at=timezone.now(), error=describe(error, attempt.document.stage)
    )
    log.info("document_failed", code=error.code, message=error.message)
    _report(attempt.document, error)


def retry_later(attempt: Attempt, error: TransientError) -> None:
    """Plan the next retry, or fail when all are used."""
    retries = attempt.document.retries
    if retries >= len(RETRY_DELAYS):
        fail(attempt, error)
        return
    delay = RETRY_DELAYS[retries]
    attempt.close(
        retries=retries + 1,
        last_error=describe(error, attempt.document.stage),
        next_retry_at=timezone.now() + timedelta(seconds=delay),
    )
    log.warning("retry_planned", code=error.code, message=error.message, seconds=delay)


def give_back(attempt: Attempt) -> None:
    """Return the document to the queue: this worker is stopping, or it is others' turn."""
    attempt.close(stage=Document.Stage.QUEUED, queued_at=timezone.now(), enqueued_at=None)
    log.info("document_given_back")


def describe(error: DocmillError, stage: str) -> dict[str, Any]:
    """An error as documents, tasks and events show it."""
    return {"code": error.code, "stage": stage, "message": error.message, "retryable": error.kind.retryable}


def start_again(document: Document) -> bool:
    """Put an ended document back to 'processing' under a new task id, as its owner asked; False if it has not ended."""
    changed = Document.objects.filter(id=document.id, deleted_at=None).exclude(status=Document.Status.PROCESSING)
    task_id = uuid.uuid4()
    if not changed.update(
        status=Document.Status.PROCESSING,
        stage=Document.Stage.QUEUED,
        task_id=task_id,
        progress=0,
        pages_done=0,
        pages_ocr=0,
        chunks_done=0,
        vectors_reused=0,
        crashes=0,
        retries=0,
        error=None,
        last_error=None,
        next_retry_at=None,
        claimed_at=None,
        completed_at=None,
        enqueued_at=None,
        queued_at=timezone.now(),
    ):
        return False
    document.refresh_from_db()
    return True


def mark_deleted(document: Document) -> None:
    """Take a document out of search and out of its worker's hands at once; the purge follows."""
    Document.objects.filter(id=document.id, deleted_at=None).update(deleted_at=timezone.now(), attempt=F("attempt") + 1)


def _mark_failed(document: Document, error: DocmillError) -> None:
    document.status = Document.Status.FAILED
    document.error = describe(error, document.stage)
    document.completed_at = timezone.now()
    document.claimed_at = None
    log.warning("document_failed", document_id=str(document.id), code=error.code)
    _report(document, error)


def _report(document: Document, error: DocmillError) -> None:
    """Tell Sentry, if there is one, of a document that failed for good."""
    tags = {
        "document": document.id,
        "tenant": document.user_id,
        "stage": document.stage,
        "attempt": document.attempt,
        "task_id": document.task_id,
    }
    sentry.report_failed_document(error, tags)


def _job(document: Document) -> Job:
    return Job(str(document.id), document.user_id, document.s3_key, document.filename, document.content_type)


def _adapters(attempt: Attempt, has_helpers: bool) -> Adapters:
    return Adapters(
        originals=adapters.originals(),
        extractor=FanoutExtractor(adapters.extractor(), attempt.document, attempt.still_mine, has_helpers=has_helpers),
        chunker=adapters.chunker(attempt.document.options),
        embedder=adapters.embedder(),
        cache=PostgresVectorCache(),
        store=adapters.vector_store(),
    )

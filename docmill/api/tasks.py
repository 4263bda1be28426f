"""Tasks: the entry points of workers and of housekeeping. Each names a document, or nothing; the rows say the rest."""

import os
import signal
import uuid
from typing import Any

import structlog
from celery import Task, shared_task
from celery.exceptions import Ignore, Retry
from django.db import DatabaseError

from docmill.documents import lifecycle, ocr_fanout, purge, recovery, word_upkeep
from docmill.documents import prune as pruning
from docmill.documents.enqueueing import enqueue_document, enqueue_page_readers
from docmill.documents.enqueueing import enqueue_retry as enqueue_for_retry
from docmill.documents.locks import OUTLIVES_ITS_PROCESS
from docmill.documents.models import Document
from docmill.pipeline.errors import DocmillError, PermanentError
from docmill.worker import shutdown
from docmill.worker.queues import ABANDONED, BEGUN, NEW

log = structlog.get_logger("docmill.tasks")

_clearing = purge.Clearing()
_words = word_upkeep.WordUpkeep()
_sweep = recovery.Sweep()


@shared_task(bind=True, throws=(PermanentError,))
def process_document(self: "Task[Any, Any]", s3_key: str, user_id: int, document_id: str) -> dict[str, Any]:
    """Work on one document. The message only names it: key, owner and all else are read from the row.

    The task's result tells how the document ended; a failed document is a failed task, a planned retry a task in
    state RETRY.
    """
    came_by = self.request.delivery_info
    # A dead worker's lock may still be held for a moment.
    patience = OUTLIVES_ITS_PROCESS if came_by and came_by["routing_key"] == ABANDONED else 0.0
    try:
        document = lifecycle.process(uuid.UUID(document_id), has_helpers=True, patience=patience)
    except MemoryError:
        # What else this process lost is unknown; a new one has room. The document counts a crash.
        log.critical("out_of_memory", document_id=document_id)
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    if document is None:
        document = _ended(uuid.UUID(document_id))
    if document.status == Document.Status.FAILED and document.error:
        raise PermanentError(document.error["code"], document.error["message"])
    if document.status == Document.Status.COMPLETED:
        return {"document_id": document_id, "status": document.status, "chunks": document.chunks_total}
    if document.next_retry_at and document.last_error:
        enqueue_for_retry(document)
        error = DocmillError(document.last_error["code"], document.last_error["message"])
        raise Retry(exc=error, when=document.next_retry_at)
    if document.claimed_at is None:  # given back
        enqueue_document(document, BEGUN if shutdown.is_due() else NEW)
    # No result yet: one that says success would be the last, and hide a lost child from its parent.
    raise Ignore


def _ended(document_id: uuid.UUID) -> Document:
    """A document that has ended, so that one more message for it gives the same result. Raises Ignore, which leaves the
    task's result alone, when another message's work is to make it."""
    try:
        document = Document.objects.live().filter(id=document_id).first()
    except DatabaseError as error:
        raise Ignore from error
    if document is None or document.status == Document.Status.PROCESSING:
        raise Ignore
    return document


@shared_task(ignore_result=True)
def read_pages(document_id: str) -> None:
    """Read pages of a long scan for the worker that holds it, behind all other work."""
    if ocr_fanout.help_with(uuid.UUID(document_id)):
        enqueue_page_readers(uuid.UUID(document_id), 1)


@shared_task
def test_celery(value: str = "ok") -> str:  # noqa: PT028 (a task, not a test)
    """Answer with what was sent: a round trip through broker, worker and result backend."""
    return value


@shared_task
def sweep() -> dict[str, int]:
    """Enqueue documents that nobody works on; clear away what ended ones left."""
    _clearing.begin()
    _words.begin()
    return _sweep.run()


@shared_task(ignore_result=True)
def fail_timed_out(document_id: str) -> bool:
    """Fail a document whose worker child was ended by its stage's hard limit."""
    return lifecycle.fail_timed_out(uuid.UUID(document_id))


@shared_task
def prune() -> dict[str, int]:
    """Remove originals without a row and cached vectors that nobody needs."""
    return pruning.prune()


@shared_task(ignore_result=True)
def enqueue_retry(document_id: str) -> None:
    """Enqueue a document whose next retry is due."""
    document = Document.objects.in_progress().filter(id=document_id).first()
    if document is not None and document.next_retry_at:
        enqueue_document(document, BEGUN)

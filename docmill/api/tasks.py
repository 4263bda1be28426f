"""Tasks: rings of the bell that make a worker look at a document's row, and the housekeeping."""

import os
import signal
import uuid
from typing import Any

import structlog
from celery import Task, shared_task
from celery.exceptions import Ignore
from django.db import DatabaseError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from docmill.api import documents, shutdown, spreading
from docmill.api.broker import ABANDONED, BEGUN, NEW
from docmill.api.locks import OUTLIVES_ITS_PROCESS
from docmill.api.models import Document
from docmill.pipeline.errors import DocmillError, PermanentError

log = structlog.get_logger("docmill.tasks")


@shared_task(bind=True, max_retries=None, throws=(PermanentError,))
def process_document(self: "Task[Any, Any]", s3_key: str, user_id: int, document_id: str) -> dict[str, Any]:
    """Work on one document. The message only names it: key, owner and all else are read from the row.

    The task's result tells how the document ended; a failed document is a failed task, a planned retry a task in
    state RETRY.
    """
    came_by = self.request.delivery_info
    # A dead worker's lock may still be held for a moment.
    patience = OUTLIVES_ITS_PROCESS if came_by and came_by["routing_key"] == ABANDONED else 0.0
    try:
        document = documents.process(uuid.UUID(document_id), ring_for_help, patience=patience)
    except MemoryError:
        # What else this process lost is unknown; a new one has room. The document counts a crash.
        log.critical("out_of_memory", document_id=document_id)
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    if document is None:
        document = _ended(uuid.UUID(document_id))
    if document.status == Document.Status.FAILED and document.error:
        raise PermanentError(document.error["code"], document.error["message"])
    if document.next_retry_at and document.last_error:
        wait = (document.next_retry_at - timezone.now()).total_seconds()
        error = DocmillError(document.last_error["code"], document.last_error["message"])
        raise self.retry(exc=error, countdown=max(wait, 0), queue=BEGUN)
    if document.status == Document.Status.PROCESSING and document.claimed_at is None:  # given back
        ring(document, queue=BEGUN if shutdown.is_due() else NEW)
    return {"document_id": document_id, "status": document.status, "chunks": document.chunks_total}


def _ended(document_id: uuid.UUID) -> Document:
    """A document that has ended, so that one more message for it gives the same result. Raises Ignore, which leaves the
    task's result alone, when another message's work is to make it."""
    try:
        document = Document.objects.filter(id=document_id, deleted_at=None).first()
    except DatabaseError as error:
        raise Ignore from error
    if document is None or document.status == Document.Status.PROCESSING:
        raise Ignore
    return document


@shared_task(ignore_result=True)
def read_pages(document_id: str) -> None:
    """Read pages of a long scan for the worker that holds it, behind all other work. See spreading.py."""
    if spreading.help_with(uuid.UUID(document_id)):
        read_pages.delay(document_id)


@shared_task
def test_celery(value: str = "ok") -> str:  # noqa: PT028 (a task, not a test)
    """Answer with what was sent: a round trip through broker, worker and result backend."""
    return value


@shared_task
def sweep() -> dict[str, int]:
    """Find documents that nobody works on, and ring for them. See sweeping.py."""
    from docmill.api import sweeping

    return sweeping.sweep()


@shared_task(ignore_result=True)
def child_timed_out(document_id: str) -> bool:
    """Fail a document whose worker child was ended by its stage's hard limit. See lost_children.py."""
    from docmill.api import lost_children

    return lost_children.fail_timed_out(uuid.UUID(document_id))


@shared_task
def tidy() -> dict[str, int]:
    """Remove originals without a row and cached vectors that nobody needs. See tidying.py."""
    from docmill.api import tidying

    return tidying.tidy()


@shared_task
def purge_document(document_id: str) -> bool:
    """Remove a deleted document's vectors, original and rows; False when it must wait for its worker to let go."""
    from docmill.api import purging

    return purging.purge(uuid.UUID(document_id))


def ring(document: Document, queue: str = NEW) -> bool:
    """Put a message for the document on a queue; False when the broker is down.

    The sweep rings later then.
    """
    try:
        process_document.apply_async(
            args=(document.s3_key, document.user_id, str(document.id)), task_id=str(document.task_id), queue=queue
        )
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", document_id=str(document.id), error=str(error))
        return False
    return True


def ring_for_help(document: Document, count: int) -> None:
    """Ask so many workers to read pages of a long scan; without a broker the holder reads them all itself."""
    try:
        for _ in range(count):
            read_pages.delay(str(document.id))
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", document_id=str(document.id), error=str(error))


def ring_for_purge(document: Document) -> None:
    """Ask for a deleted document's purge; the sweep asks again when the broker is down."""
    try:
        purge_document.apply_async(args=(str(document.id),), ignore_result=True)
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", document_id=str(document.id), error=str(error))

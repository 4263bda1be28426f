"""Tasks: rings of the bell that make a worker look at a document's row, and the housekeeping."""

import os
import signal
import uuid
from datetime import datetime
from typing import Any

import structlog
from celery import Task, shared_task
from celery.exceptions import Ignore, Retry
from django.db import DatabaseError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from docmill.api import documents, shutdown, spreading
from docmill.api.broker import ABANDONED, BEGUN, NEW
from docmill.api.locks import OUTLIVES_ITS_PROCESS
from docmill.api.models import Document
from docmill.pipeline.errors import DocmillError, PermanentError

log = structlog.get_logger("docmill.tasks")


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
    if document.status == Document.Status.COMPLETED:
        return {"document_id": document_id, "status": document.status, "chunks": document.chunks_total}
    if document.next_retry_at and document.last_error:
        _ring_at(document.next_retry_at, document)
        error = DocmillError(document.last_error["code"], document.last_error["message"])
        raise Retry(exc=error, when=document.next_retry_at)
    if document.claimed_at is None:  # given back
        ring(document, queue=BEGUN if shutdown.is_due() else NEW)
    # No result yet: one that says success would be the last, and hide a lost child from its parent.
    raise Ignore


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
    """Find documents that nobody works on, and ring for them; clear away what ended ones left. See sweeping.py and
    clearing.py."""
    from docmill.api import clearing, sweeping

    clearing.begin()
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


@shared_task(ignore_result=True)
def ring_for_retry(document_id: str) -> None:
    """Ring for a document whose next retry is due. This message waits in housekeeping's hands until then: in a worker's
    it would take the next free place, and be lost with the worker."""
    document = Document.objects.filter(id=document_id, status=Document.Status.PROCESSING, deleted_at=None).first()
    if document is not None and document.next_retry_at:
        ring(document, queue=BEGUN)


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


def _ring_at(moment: datetime, document: Document) -> None:
    """Ring for the document then; the sweep does when the broker is down."""
    try:
        ring_for_retry.apply_async(args=(str(document.id),), eta=moment)
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", document_id=str(document.id), error=str(error))

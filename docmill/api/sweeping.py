"""The sweep: finds documents that nobody works on and rings for them, and finishes deletions and failures.

PostgreSQL is the truth. Whatever the broker forgot or a dead worker left is found here from the rows, the locks and the
length of the queue. A document is rung for at most once a minute until a worker has begun it.
"""

import uuid
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from docmill.api import documents, purging, spreading
from docmill.api.broker import ABANDONED, BEGUN, NEW, messages_waiting
from docmill.api.locks import held_keys, lock_key
from docmill.api.models import Chunk, Document
from docmill.api.tasks import ring
from docmill.pipeline.errors import DocmillError

log = structlog.get_logger("docmill.sweep")

RING_AT_MOST_EVERY = timedelta(seconds=60)
MESSAGE_MAY_TAKE = timedelta(seconds=10)
"""A fresh document or a due retry is left to its own message for this long."""
CLOCKS_DIFFER_BY = timedelta(seconds=10)
"""Machines' clocks agree at least so well; a time further ahead is none."""
_AT_ONCE = 500
"""Documents looked at in one sweep, oldest first."""
_left_open: set[uuid.UUID] = set()


def sweep() -> dict[str, int]:
    """One round; the number of documents rung for, purged and cleared, and of pages forgotten."""
    now = timezone.now()
    return {
        "rung": sum(_ring(document, now) for document in abandoned(now)),
        "purged": sum(_purged(document) for document in _deleted()),
        "cleared": sum(_cleared(document) for document in _failed_with_chunks()),
        "pages": spreading.forget_ended(),
    }


def abandoned(now: datetime) -> list[Document]:
    """Unfinished documents that no worker holds and no message is on its way for."""
    rest = _unheld(now)
    left_open = _seen_before([document for document in rest if document.claimed_at])
    overdue = [document for document in rest if not document.claimed_at and document.next_retry_at]
    queued = [document for document in rest if not document.claimed_at and not document.next_retry_at]
    return left_open + overdue + queued[: _messages_missing()]


def ring_for_left_open() -> int:
    """Ring for the documents that dead workers left, without waiting for the next sweep; how many. A worker does so as
    it starts, lest it take others' places with what is new."""
    now = timezone.now()
    return sum(_ring(document, now) for document in _unheld(now) if document.claimed_at)


def _unheld(now: datetime) -> list[Document]:
    """Rows first: a document that is claimed in between is held then."""
    unfinished = list(_ringable(now)[:_AT_ONCE])
    held = held_keys()
    return [document for document in unfinished if lock_key(document.id) not in held]


def _seen_before(left_open: list[Document]) -> list[Document]:
    """Those that this process's last sweep found as well: the parent of a lost child speaks first, and knows more."""
    global _left_open
    before, _left_open = _left_open, {document.id for document in left_open}
    return [document for document in left_open if document.id in before]


def _ringable(now: datetime) -> QuerySet[Document]:
    recently = now - MESSAGE_MAY_TAKE
    retry_is_due = Q(next_retry_at__lt=recently) | Q(next_retry_at__gt=now + documents.FARTHEST_AHEAD)
    return (
        Document.objects.filter(status=Document.Status.PROCESSING, deleted_at=None)
        .filter(_long_ago("rung_at", now, RING_AT_MOST_EVERY) | Q(rung_at=None))
        .filter(retry_is_due | Q(next_retry_at=None))
        .filter(_long_ago("queued_at", now, MESSAGE_MAY_TAKE) | Q(claimed_at__isnull=False))
        .order_by("queued_at")
    )


def _long_ago(column: str, now: datetime, age: timedelta) -> Q:
    """Older than `age`, or in the future: a clock was set back since."""
    return Q(**{f"{column}__lt": now - age}) | Q(**{f"{column}__gt": now + CLOCKS_DIFFER_BY})


def _messages_missing() -> int:
    """How many more documents wait than messages do: so many rings were lost."""
    waiting = Document.objects.filter(
        status=Document.Status.PROCESSING, deleted_at=None, claimed_at=None, next_retry_at=None
    ).count()
    messages = messages_waiting((NEW,))
    return max(waiting - messages, 0) if messages is not None else 0


def _ring(document: Document, now: datetime) -> bool:
    """False when another process rang first, a worker has begun it meanwhile, or the broker is down."""
    if not _ringable(now).filter(id=document.id, attempt=document.attempt).update(rung_at=now):
        return False
    if not ring(document, _queue(document)):
        Document.objects.filter(id=document.id, rung_at=now).update(rung_at=None)
        return False
    log.info("rung_again", document_id=str(document.id), attempt=document.attempt)
    return True


def _queue(document: Document) -> str:
    if document.claimed_at:
        return ABANDONED
    return BEGUN if document.attempt else NEW


def _deleted() -> QuerySet[Document]:
    return Document.objects.filter(deleted_at__isnull=False).order_by("deleted_at")[:_AT_ONCE]


def _failed_with_chunks() -> QuerySet[Document]:
    chunks = Chunk.objects.filter(document=OuterRef("pk"))
    return Document.objects.filter(Exists(chunks), status=Document.Status.FAILED)[:_AT_ONCE]


def _purged(document: Document) -> bool:
    try:
        return purging.purge(document.id)
    except DocmillError as error:
        log.warning("purge_postponed", document_id=str(document.id), code=error.code, message=error.message)
        return False


def _cleared(document: Document) -> bool:
    try:
        return purging.clear_failed(document.id)
    except DocmillError as error:
        log.warning("clearing_postponed", document_id=str(document.id), code=error.code, message=error.message)
        return False

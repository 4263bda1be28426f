"""The sweep: finds documents that nobody works on, and enqueues them.

PostgreSQL is the truth. Whatever the broker forgot or a dead worker left is found here from the rows, the locks and the
length of the queue. A document is enqueued at most once a minute until a worker has begun it.
"""

import time
import uuid
from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from docmill.documents import lifecycle, ocr_fanout
from docmill.documents.enqueueing import enqueue_document
from docmill.documents.locks import held_keys, lock_key
from docmill.documents.models import Document
from docmill.worker.queues import ABANDONED, BEGUN, NEW, messages_waiting

log = structlog.get_logger("docmill.sweep")

ENQUEUE_AT_MOST_EVERY = timedelta(seconds=60)
MESSAGE_MAY_TAKE = timedelta(seconds=10)
"""A fresh document or a due retry is left to its own message for this long."""
CLOCKS_DIFFER_BY = timedelta(seconds=10)
"""Machines' clocks agree at least so well; a time further ahead is none."""
_AT_ONCE = 500
"""Documents looked at in one sweep: those that dead workers left, then the oldest."""
PARENT_SPEAKS_WITHIN = 3.0
"""Seconds for which a dead child's document is left to the child's parent, which knows more (child_deaths.py)."""

AttemptKey = tuple[uuid.UUID, int]
"""A document and the number of its attempt."""


class Sweep:
    """Rounds of one process, and what it remembers between them, by a clock that nobody sets: a row's time tells
    nothing when clocks jump."""

    def __init__(self) -> None:
        self._first_found: dict[AttemptKey, float] = {}
        """When each document that a dead worker left was first found so."""
        self._enqueued: dict[AttemptKey, float] = {}
        """When this process enqueued an attempt within the last minute."""

    def run(self) -> dict[str, int]:
        """One round; the number of documents enqueued, and of scanned pages forgotten."""
        now = timezone.now()
        minute_ago = time.monotonic() - ENQUEUE_AT_MOST_EVERY.total_seconds()
        self._enqueued = {attempt: moment for attempt, moment in self._enqueued.items() if moment > minute_ago}
        enqueued = sum(self._enqueue(document, now) for document in self.abandoned(now))
        return {"enqueued": enqueued, "pages": ocr_fanout.forget_ended()}

    def abandoned(self, now: datetime) -> list[Document]:
        """Documents in progress that no worker holds and no message is on its way for."""
        rest = [document for document in _unheld(now) if _attempt(document) not in self._enqueued]
        left_open = self._found_a_while_ago([document for document in rest if document.claimed_at])
        overdue = [document for document in rest if not document.claimed_at and document.next_retry_at]
        queued = [document for document in rest if not document.claimed_at and not document.next_retry_at]
        return left_open + overdue + queued[: _messages_missing()]

    def _found_a_while_ago(self, left_open: list[Document]) -> list[Document]:
        """Those that this process has found so for some seconds."""
        now = time.monotonic()
        self._first_found = {
            _attempt(document): self._first_found.get(_attempt(document), now) for document in left_open
        }
        return [
            document for document in left_open if now - self._first_found[_attempt(document)] >= PARENT_SPEAKS_WITHIN
        ]

    def _enqueue(self, document: Document, now: datetime) -> bool:
        done = _enqueue(document, now)
        if done:
            self._enqueued[_attempt(document)] = time.monotonic()
        return done


def enqueue_left_open() -> int:
    """Enqueue the documents that dead workers left, without waiting for the next sweep; how many. A worker does so as
    it starts, lest it take others' places with what is new."""
    now = timezone.now()
    return sum(_enqueue(document, now) for document in _unheld(now) if document.claimed_at)


def _unheld(now: datetime) -> list[Document]:
    """Rows first: a document that is claimed in between is held then."""
    unfinished = list(_due(now)[:_AT_ONCE])
    held = held_keys()
    return [document for document in unfinished if lock_key(document.id) not in held]


def _attempt(document: Document) -> AttemptKey:
    return document.id, document.attempt


def _due(now: datetime) -> QuerySet[Document]:
    """Documents in progress that may be enqueued now, if nobody holds them."""
    recently = now - MESSAGE_MAY_TAKE
    retry_is_due = Q(next_retry_at__lt=recently) | Q(next_retry_at__gt=now + lifecycle.FARTHEST_AHEAD)
    return (
        Document.objects.in_progress()
        .filter(_long_ago("enqueued_at", now, ENQUEUE_AT_MOST_EVERY) | Q(enqueued_at=None))
        .filter(retry_is_due | Q(next_retry_at=None))
        .filter(_long_ago("queued_at", now, MESSAGE_MAY_TAKE) | Q(claimed_at__isnull=False))
        .order_by(F("claimed_at").asc(nulls_last=True), "queued_at")
    )


def _long_ago(column: str, now: datetime, age: timedelta) -> Q:
    """Older than `age`, or in the future: a clock was set back since."""
    return Q(**{f"{column}__lt": now - age}) | Q(**{f"{column}__gt": now + CLOCKS_DIFFER_BY})


def _messages_missing() -> int:
    """How many more documents wait than messages do: so many messages were lost."""
    waiting = Document.objects.in_progress().filter(claimed_at=None, next_retry_at=None).count()
    messages = messages_waiting((BEGUN, NEW))
    return max(waiting - messages, 0) if messages is not None else 0


def _enqueue(document: Document, now: datetime) -> bool:
    """False when another process was first, a worker has begun it meanwhile, or the broker is down."""
    if not _due(now).filter(id=document.id, attempt=document.attempt).update(enqueued_at=now):
        return False
    if not enqueue_document(document, _queue(document)):
        Document.objects.filter(id=document.id, enqueued_at=now).update(enqueued_at=None)
        return False
    log.info("enqueued_again", document_id=str(document.id), attempt=document.attempt)
    return True


def _queue(document: Document) -> str:
    if document.claimed_at:
        return ABANDONED
    return BEGUN if document.attempt else NEW

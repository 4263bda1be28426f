"""The sweep: finds documents that nobody works on, and rings for them.

PostgreSQL is the truth. Whatever the broker forgot or a dead worker left is found here from the rows, the locks and the
length of the queue. A document is rung for at most once a minute until a worker has begun it.
"""

import time
import uuid
from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from docmill.api import documents, spreading
from docmill.api.broker import ABANDONED, BEGUN, NEW, messages_waiting
from docmill.api.locks import held_keys, lock_key
from docmill.api.models import Document
from docmill.api.tasks import ring

log = structlog.get_logger("docmill.sweep")

RING_AT_MOST_EVERY = timedelta(seconds=60)
MESSAGE_MAY_TAKE = timedelta(seconds=10)
"""A fresh document or a due retry is left to its own message for this long."""
CLOCKS_DIFFER_BY = timedelta(seconds=10)
"""Machines' clocks agree at least so well; a time further ahead is none."""
_AT_ONCE = 500
"""Documents looked at in one sweep: those that dead workers left, then the oldest."""
PARENT_SPEAKS_WITHIN = 3.0
"""Seconds for which a dead child's document is left to the child's parent, which knows more (lost_children.py)."""
_first_found: dict[tuple[uuid.UUID, int], float] = {}
_rung: dict[tuple[uuid.UUID, int], float] = {}
"""When this process rang for an attempt within the last minute, by a clock that nobody sets: the row's time tells
nothing when clocks jump."""


def sweep() -> dict[str, int]:
    """One round; the number of documents rung for, and of scanned pages forgotten."""
    now = timezone.now()
    minute_ago = time.monotonic() - RING_AT_MOST_EVERY.total_seconds()
    for attempt in [attempt for attempt, rung in _rung.items() if rung <= minute_ago]:
        del _rung[attempt]
    return {"rung": sum(_ring(document, now) for document in abandoned(now)), "pages": spreading.forget_ended()}


def abandoned(now: datetime) -> list[Document]:
    """Unfinished documents that no worker holds and no message is on its way for."""
    rest = _unheld(now)
    left_open = _found_a_while_ago([document for document in rest if document.claimed_at])
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
    return [one for one in unfinished if lock_key(one.id) not in held and _attempt(one) not in _rung]


def _found_a_while_ago(left_open: list[Document]) -> list[Document]:
    """Those that this process has found so for some seconds."""
    global _first_found
    now = time.monotonic()
    _first_found = {_attempt(document): _first_found.get(_attempt(document), now) for document in left_open}
    return [document for document in left_open if now - _first_found[_attempt(document)] >= PARENT_SPEAKS_WITHIN]


def _attempt(document: Document) -> tuple[uuid.UUID, int]:
    return document.id, document.attempt


def _ringable(now: datetime) -> QuerySet[Document]:
    recently = now - MESSAGE_MAY_TAKE
    retry_is_due = Q(next_retry_at__lt=recently) | Q(next_retry_at__gt=now + documents.FARTHEST_AHEAD)
    return (
        Document.objects.filter(status=Document.Status.PROCESSING, deleted_at=None)
        .filter(_long_ago("rung_at", now, RING_AT_MOST_EVERY) | Q(rung_at=None))
        .filter(retry_is_due | Q(next_retry_at=None))
        .filter(_long_ago("queued_at", now, MESSAGE_MAY_TAKE) | Q(claimed_at__isnull=False))
        .order_by(F("claimed_at").asc(nulls_last=True), "queued_at")
    )


def _long_ago(column: str, now: datetime, age: timedelta) -> Q:
    """Older than `age`, or in the future: a clock was set back since."""
    return Q(**{f"{column}__lt": now - age}) | Q(**{f"{column}__gt": now + CLOCKS_DIFFER_BY})


def _messages_missing() -> int:
    """How many more documents wait than messages do: so many rings were lost."""
    waiting = Document.objects.filter(
        status=Document.Status.PROCESSING, deleted_at=None, claimed_at=None, next_retry_at=None
    ).count()
    messages = messages_waiting((BEGUN, NEW))
    return max(waiting - messages, 0) if messages is not None else 0


def _ring(document: Document, now: datetime) -> bool:
    """False when another process rang first, a worker has begun it meanwhile, or the broker is down."""
    if not _ringable(now).filter(id=document.id, attempt=document.attempt).update(rung_at=now):
        return False
    if not ring(document, _queue(document)):
        Document.objects.filter(id=document.id, rung_at=now).update(rung_at=None)
        return False
    _rung[_attempt(document)] = time.monotonic()
    log.info("rung_again", document_id=str(document.id), attempt=document.attempt)
    return True


def _queue(document: Document) -> str:
    if document.claimed_at:
        return ABANDONED
    return BEGUN if document.attempt else NEW

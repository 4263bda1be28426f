"""What becomes of a document whose worker child died: the worker's parent sees it first and says so.

Only a short cut: the parent's message may be lost with the broker, and a parent may die with its children. The sweep
finds the document then.
"""

import uuid
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery.signals import task_failure
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from docmill.api import documents, sweeping
from docmill.api.locks import document_lock
from docmill.api.models import Document
from docmill.api.tasks import child_lost, process_document
from docmill.pipeline.errors import PermanentError

log = structlog.get_logger("docmill.lost_children")

_ALARM = "SIGALRM"
_LOCK_OUTLIVES = 2.0
"""Seconds within which PostgreSQL has noticed that a process is gone."""


def watch() -> None:
    """Called in a worker's parent before it has children."""
    task_failure.connect(_say_so, sender=process_document)


def _say_so(exception: BaseException, args: Any, **_: object) -> None:
    """In the worker's parent: have somebody look at the document at once. The parent itself keeps no database open."""
    if isinstance(exception, WorkerLostError):
        try:
            child_lost.delay(args[2], timed_out=_ALARM in str(exception))
        except (BrokerError, RedisError) as error:
            log.warning("broker_unavailable", document_id=args[2], error=str(error))


def take_up(document_id: uuid.UUID, *, timed_out: bool) -> bool:
    """Ring for the document, or fail it when its stage's hard limit ended its worker or too many workers died of it;
    False if there is nothing to do.

    A document whose lock is free and whose attempt is open was left by a dead worker.
    """
    with document_lock(document_id, patience=_LOCK_OUTLIVES) as lock:
        document = Document.objects.filter(id=document_id, status=Document.Status.PROCESSING, deleted_at=None).first()
        if lock is None or document is None or document.claimed_at is None:
            return False
        if timed_out:
            documents.fail_left_open(document, PermanentError("timeout", _sentence(document.stage)))
            return True
        if document.crashes + 1 >= documents.CRASHES_ALLOWED:
            documents.fail_left_open(document, PermanentError("worker_crashed"))
            return True
    return sweeping.ring_if_due(document, timezone.now())


def _sentence(stage: str) -> str:
    return f"The stage '{stage}' went far beyond its limit and was ended."

"""Clears away what deleted and failed documents left, beside the sweep: in a thread of its own, so that a vector store
that hangs holds up no ring."""

import threading
from collections.abc import Callable

import structlog
from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet

from docmill.api import purging
from docmill.api.models import Chunk, Document
from docmill.pipeline.errors import DocmillError

log = structlog.get_logger("docmill.clearing")

_AT_ONCE = 500
"""Documents looked at in one round, oldest first."""
_one_round = threading.Lock()


def begin() -> None:
    """Begin a round, unless the last one is still at work."""
    if _one_round.acquire(blocking=False):
        threading.Thread(target=_go, name="clearing", daemon=True).start()


def _go() -> None:
    try:
        for document in _deleted():
            _try(purging.purge, document)
        for document in _failed_with_chunks():
            _try(purging.clear_failed, document)
    except Exception:
        log.exception("clearing_failed")
    finally:
        connections.close_all()
        _one_round.release()


def _deleted() -> QuerySet[Document]:
    return Document.objects.filter(deleted_at__isnull=False).order_by("deleted_at")[:_AT_ONCE]


def _failed_with_chunks() -> QuerySet[Document]:
    chunks = Chunk.objects.filter(document=OuterRef("pk"))
    return Document.objects.filter(Exists(chunks), status=Document.Status.FAILED)[:_AT_ONCE]


def _try(clear: Callable[..., bool], document: Document) -> None:
    try:
        clear(document.id)
    except DocmillError as error:
        log.warning("clearing_postponed", document_id=str(document.id), code=error.code, message=error.message)

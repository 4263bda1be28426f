"""Removing what a deleted or failed document left in the vector store, the bucket and the database."""

import uuid

import structlog

from docmill import parts
from docmill.api.locks import document_lock
from docmill.api.models import Document
from docmill.api.vector_index import verify_index
from docmill.pipeline.errors import TransientError
from docmill.pipeline.index import record_id

log = structlog.get_logger("docmill.purging")


def purge(document_id: uuid.UUID) -> bool:
    """Remove a deleted document for good: vectors first, verified, then the original, then the rows.

    False when a worker still holds it or it is not deleted. Raises TransientError when a part is down, and
    PermanentError `index_mismatch` when another index is in use than this process knows: the sweep asks again.
    """
    verify_index()
    with document_lock(document_id) as lock:
        document = Document.objects.filter(id=document_id, deleted_at__isnull=False).first()
        if lock is None or document is None:
            return False
        remove_vectors(document)
        parts.originals().delete(document.s3_key)
        document.delete()
    log.info("document_purged", document_id=str(document_id))
    return True


def clear_failed(document_id: uuid.UUID) -> bool:
    """Remove the vectors and chunks that a failed document's attempts left; False when it is in use again."""
    verify_index()
    with document_lock(document_id) as lock:
        document = Document.objects.filter(id=document_id, status=Document.Status.FAILED).first()
        if lock is None or document is None:
            return False
        remove_vectors(document)
        document.chunks.all().delete()
    return True


def remove_vectors(document: Document) -> None:
    """Delete the document's vectors by the ids of its chunk rows, and check that none is left."""
    store, document_id = parts.vector_store(), str(document.id)
    ordinals = document.chunks.values_list("ordinal", flat=True)
    store.delete(document.user_id, [record_id(document_id, ordinal) for ordinal in ordinals])
    left = list(store.record_ids(document.user_id, document_id))
    if left:
        store.delete(document.user_id, left)
        raise TransientError("index_unavailable", f"{len(left)} vectors of a removed document are still listed.")

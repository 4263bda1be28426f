"""Messages for documents. Each only makes a worker look at the row; losing one costs time, never a document."""

import uuid

from docmill.documents.models import Document
from docmill.worker.queues import ENQUEUE_RETRY, HOUSEKEEPING, NEW, PAGES, PROCESS_DOCUMENT, READ_PAGES, enqueue


def enqueue_document(document: Document, queue: str = NEW) -> bool:
    """Put a message for the document on a queue; False when the broker is down."""
    arguments = (document.s3_key, document.user_id, str(document.id))
    return enqueue(PROCESS_DOCUMENT, arguments, queue, task_id=str(document.task_id))


def enqueue_retry(document: Document) -> bool:
    """Have the document enqueued when its next retry is due. The message waits in housekeeping's hands until then: in a
    worker's it would take the next free place, and be lost with the worker."""
    return enqueue(ENQUEUE_RETRY, [str(document.id)], HOUSEKEEPING, at=document.next_retry_at)


def enqueue_page_readers(document_id: uuid.UUID, count: int) -> bool:
    """Ask so many workers to read pages of a long scan; without a broker the holder reads them all itself."""
    return all(enqueue(READ_PAGES, [str(document_id)], PAGES) for _ in range(count))

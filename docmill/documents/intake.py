"""Accepting an upload: temp file → bucket → row → queue. The row is written last, so it always has its original."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.db import DataError, IntegrityError, transaction

from docmill import adapters
from docmill.documents.enqueueing import enqueue_document
from docmill.documents.limits import check_quota, spend
from docmill.documents.models import Document
from docmill.pipeline.errors import DocmillError
from docmill.pipeline.extract import detect_type

log = structlog.get_logger("docmill.intake")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file at the door: `path` is its temporary place, `sha256` in hexadecimal, size in bytes."""

    path: Path
    filename: str
    size_bytes: int
    sha256: str
    metadata: dict[str, Any]
    options: dict[str, Any]


def accept(user_id: int, upload: Upload, *, enqueue: bool = True) -> tuple[Document, bool]:
    """Store an upload and write its row, 'processing'; the existing document and False when the content is known.

    Raises PermanentError (`unsupported_type`, `type_mismatch`, …) and TransientError (`storage_unavailable`).
    """
    if existing := _existing(user_id, upload.sha256):
        return existing, False
    check_quota(user_id, upload.size_bytes)
    content_type = detect_type(upload.path, upload.filename)
    document_id = uuid.uuid4()
    document = Document(
        id=document_id,
        user_id=user_id,
        filename=upload.filename,
        content_type=content_type,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        s3_key=f"documents/{user_id}/{document_id}/original",
        metadata=upload.metadata,
        options=upload.options,
    )
    adapters.originals().put(document.s3_key, upload.path, upload.sha256, content_type)
    try:
        with transaction.atomic():
            document.save(force_insert=True)
            if enqueue:
                transaction.on_commit(lambda: enqueue_document(document))
    except IntegrityError:
        # The same content came in twice at once and the other was first.
        _discard(document)
        if existing := _existing(user_id, upload.sha256):
            return existing, False
        raise
    except DataError:  # something that no check at the door knows of
        _discard(document)
        raise
    spend(user_id, documents=1, bytes=upload.size_bytes)
    log.info("document_accepted", document_id=str(document_id), user_id=user_id, bytes=upload.size_bytes)
    return document, True


def _existing(user_id: int, sha256: str) -> Document | None:
    return Document.objects.live().filter(user_id=user_id, sha256=sha256).first()


def _discard(document: Document) -> None:
    try:
        adapters.originals().delete(document.s3_key)
    except DocmillError as error:
        log.warning("orphan_left", s3_key=document.s3_key, code=error.code)

"""Hourly upkeep: originals whose row was never written, and cached vectors that no chunk has."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import structlog
from django.db.models import Exists, OuterRef
from django.utils import timezone

from docmill import adapters
from docmill.documents.models import CachedVector, Chunk, Document, VectorIndex
from docmill.documents.reindexing import forget_removed

log = structlog.get_logger("docmill.prune")

ORPHANS_AFTER = timedelta(days=1)
UNUSED_VECTORS_AFTER = timedelta(days=7)
_AT_ONCE = 1000
_PREFIX = "documents/"


def prune() -> dict[str, int]:
    """One round; how much of each was removed. Raises TransientError when the storage is down."""
    return {
        "originals": _remove_orphans(),
        "uploads": adapters.originals().abandoned_parts_removed(_PREFIX, ORPHANS_AFTER.total_seconds()),
        "vectors": _remove_unused_vectors(),
        "removed_documents": sum(map(forget_removed, VectorIndex.objects.filter(active=True))),
    }


def _remove_orphans() -> int:
    removed = 0
    for key in orphans():
        adapters.originals().delete(key)
        log.info("orphan_removed", s3_key=key)
        removed += 1
    return removed


def orphans() -> Iterator[str]:
    """Keys of originals, a day old or more, that no row names: an upload whose request died before it wrote its row."""
    keys = adapters.originals().keys_older_than(_PREFIX, ORPHANS_AFTER.total_seconds())
    while some := list(islice(keys, _AT_ONCE)):
        named = set(Document.objects.filter(s3_key__in=some).values_list("s3_key", flat=True))
        yield from (key for key in some if key not in named and _is_original(key))


def _is_original(key: str) -> bool:
    """Whether docmill made this key; a bucket may hold others' objects too."""
    match key.split("/"):
        case ["documents", tenant, document_id, "original"] if tenant.isdecimal():
            try:
                return str(uuid.UUID(document_id)) == document_id
            except ValueError:
                return False
    return False


def _remove_unused_vectors() -> int:
    """Vectors that no chunk of their tenant has and that were not used for a week."""
    chunks = Chunk.objects.filter(vector_key=OuterRef("key"), document__user_id=OuterRef("user_id"))
    unused = CachedVector.objects.filter(~Exists(chunks), used_at__lt=timezone.now() - UNUSED_VECTORS_AFTER)
    removed = 0
    while ids := list(unused.values_list("id", flat=True)[:_AT_ONCE]):
        removed += CachedVector.objects.filter(id__in=ids).delete()[0]
    return removed

"""Search: the tenant's best chunks, each vouched for by PostgreSQL."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet

from docmill import adapters
from docmill.documents.models import Chunk, Document
from docmill.documents.vector_index import verify_index
from docmill.pipeline.chunking.chunker import passage_text
from docmill.pipeline.rank import CANDIDATES, rank
from docmill.pipeline.text import clean
from docmill.pipeline.types import Hit, Vector
from docmill.pipeline.vector_stores import Scope

_SPARE = 2
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that answers a query, and its score: cosine similarity, moved by the words they share (rank.py)."""

    chunk: Chunk
    score: float


def search(user_id: int, query: str, top_k: int, wanted: dict[str, Any]) -> list[Found]:
    """The `top_k` best chunks of the user's completed documents, best first.

    `wanted` may narrow the documents by `document_id` (list), `filename`, `content_type` and `metadata` (an object
    that the document's metadata contains). Raises TransientError or PermanentError when a part is down or refuses.
    """
    verify_index()
    scope = _scope(user_id, wanted)
    vector = adapters.embedder().embed_query(clean(query))
    candidates = _candidates(user_id, vector, max(CANDIDATES, top_k * _SPARE), scope)
    texts = [passage_text(found.chunk.headings, found.chunk.text) for found in candidates]
    scores = rank(query, texts, [found.score for found in candidates])
    ranked = [Found(found.chunk, score) for found, score in zip(candidates, scores, strict=True)]
    return sorted(ranked, key=lambda found: -found.score)[:top_k]


def _candidates(user_id: int, vector: Vector, wanted: int, scope: Scope | None) -> list[Found]:
    """The nearest vouched chunks; asks for more while too many hits are not vouched for."""
    store, ask = adapters.vector_store(), wanted
    for _ in range(_ROUNDS):
        hits = store.query(user_id, vector, ask, scope)
        found = _vouched(user_id, hits)
        if len(found) >= wanted // 2 or len(hits) < ask:
            break
        ask *= 4
    return found


def _scope(user_id: int, wanted: dict[str, Any]) -> Scope | None:
    """The documents that a filter leaves, None without a filter."""
    if not wanted:
        return None
    documents = Document.objects.completed().filter(user_id=user_id)
    if "document_id" in wanted:
        documents = documents.filter(id__in=wanted["document_id"])
    if "filename" in wanted:
        documents = documents.filter(filename=wanted["filename"])
    if "content_type" in wanted:
        documents = documents.filter(content_type=wanted["content_type"])
    if "metadata" in wanted:
        documents = documents.filter(metadata__contains=wanted["metadata"])
    ids = documents.values_list("id", flat=True)
    try:
        sql, parameters = ids.query.sql_with_params()
    except EmptyResultSet:  # a filter by no document at all
        sql, parameters = "SELECT NULL::uuid WHERE FALSE", ()
    return Scope(sql, parameters, lambda: [str(document_id) for document_id in ids])


def _vouched(user_id: int, hits: list[Hit]) -> list[Found]:
    """The hits whose chunk is in a completed document of this user, in the hits' order."""
    ordinals: dict[str, list[int]] = {}
    for hit in hits:
        document_id, _, ordinal = hit.id.rpartition("#")
        ordinals.setdefault(document_id, []).append(int(ordinal))
    chunks = Chunk.objects.select_related("document").filter(
        document__in=Document.objects.completed().filter(user_id=user_id, id__in=list(ordinals)),
        ordinal__in={ordinal for some in ordinals.values() for ordinal in some},
    )
    known = {f"{chunk.document_id}#{chunk.ordinal}": chunk for chunk in chunks}
    return [Found(known[hit.id], hit.score) for hit in hits if hit.id in known]

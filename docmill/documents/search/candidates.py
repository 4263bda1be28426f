"""Which passages are looked at for a query: the nearest by meaning, and the best by rare words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from docmill import adapters
from docmill.documents import word_index
from docmill.documents.models import CachedVector, Chunk, Document
from docmill.documents.word_index import ChunkKey, WordsRow
from docmill.pipeline.chunking.chunker import embedding_text
from docmill.pipeline.rank import WordScorer
from docmill.pipeline.types import Hit, Vector
from docmill.pipeline.vector_stores import Scope
from docmill.pipeline.words.query import Query, all_of, any_of, in_a_row

POOL = 200
"""Nearest passages that are ranked, whatever `top_k`: so a longer answer begins with a shorter one."""
_BY_WORDS = 100
"""Passages that words may add to them."""
_RARE_SHARE, _RARE_CHUNKS = 0.002, 200
"""A word is rare that is in no more than this share of the tenant's chunks, or in so many."""
_MATCHES = 2000
"""Chunks that the rare words together may be in; words beyond, the less rare ones, only add to the score."""
_BOTH_SHARE = 0.02
"""Where no word is rare: two words together are looked for when one is in no more than this share of the chunks."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its words and its cosine similarity to the query."""

    key: ChunkKey
    vector_similarity: float
    words: WordsRow


class Candidates:
    """The candidates of one query within a tenant's completed documents, as a filter leaves them."""

    def __init__(self, user_id: int, query: Query, vector: Vector, scorer: WordScorer, wanted: dict[str, Any]) -> None:
        self._user_id, self._query, self._vector, self._scorer = user_id, query, vector, scorer
        self._filtered = bool(wanted)
        self._scope = _scope(user_id, wanted, " | ".join(map(in_a_row, query.excluded)))
        self._known: set[ChunkKey] = set()
        self._asked = 0
        self.exhausted = False
        """Whether there is nothing left that `nearest` could add."""

    def first(self) -> list[Candidate]:
        """The pool: the nearest, and those found by words."""
        by_words = self._by_words()
        near = self.nearest(POOL)
        more = {key: row for key, row in by_words.items() if key not in self._known}
        self._known.update(more)
        similarities = self._similarities(list(more))
        return near + [Candidate(key, similarities[key], row) for key, row in more.items() if key in similarities]

    def nearest(self, count: int) -> list[Candidate]:
        """Those of the `count` nearest that were not given before."""
        hits = self._hits(count)
        fresh = {key: hit.score for hit in hits if (key := _key(hit.id)) not in self._known}
        self._known.update(fresh)
        rows = self._rows(list(fresh))
        return [Candidate(key, score, rows[key]) for key, score in fresh.items() if key in rows]

    def _hits(self, count: int) -> list[Hit]:
        """The nearest vouched ones. The store is asked within the vouched documents only when it holds others too."""
        store = adapters.vector_store()
        narrowed = self._filtered or bool(self._query.excluded)
        hits = store.query(self._user_id, self._vector, count, self._scope if narrowed else None)
        vouched = self._allowed(hits)
        if len(vouched) < len(hits) == count and not narrowed:
            hits = store.query(self._user_id, self._vector, count, self._scope)
            vouched = self._allowed(hits)
        self.exhausted = len(hits) < count
        return vouched

    def _allowed(self, hits: list[Hit]) -> list[Hit]:
        """Those in completed documents of the tenant, with the words that must stand together and without those that
        must not be there."""
        keys = [_key(hit.id) for hit in hits]
        vouched = set(
            Document.objects.completed()
            .filter(user_id=self._user_id, id__in={document_id for document_id, _ in keys})
            .values_list("id", flat=True)
        )
        kept = {key for key in keys if key[0] in vouched}
        for phrase in self._query.phrases:
            kept &= set(word_index.rows(list(kept), in_a_row(phrase)))
        for run in self._query.excluded:
            kept -= set(word_index.rows(list(kept), in_a_row(run)))
        return [hit for hit, key in zip(hits, keys, strict=True) if key in kept]

    def _by_words(self) -> dict[ChunkKey, WordsRow]:
        looked_for = self._looked_for()
        if looked_for is None:
            return {}
        weights = [
            (form, self._scorer.rarity(self._scorer.frequency(term)))
            for term in self._scorer.rarest()[:8]
            for form in term.forms[:1]
        ]
        return word_index.holding(self._user_id, looked_for, weights, self._scope, _BY_WORDS)

    def _looked_for(self) -> str | None:
        """A tsquery for what words may find: phrases, else rare words, else two words together; None when all are
        common."""
        without = [f"!({in_a_row(run)})" for run in self._query.excluded]
        if self._query.phrases:
            return " & ".join([in_a_row(phrase) for phrase in self._query.phrases] + without)
        terms, chunks = self._scorer.rarest(), self._scorer.chunks
        forms: list[str] = []
        matches, rare = 0, max(_RARE_SHARE * chunks, _RARE_CHUNKS)
        for term in terms:
            frequency = self._scorer.frequency(term)
            if frequency > rare or (forms and matches + frequency > _MATCHES):
                break
            matches += frequency
            forms += term.forms
        if forms:
            return " & ".join([f"({any_of(forms)})", *without])
        if len(terms) > 1 and self._scorer.frequency(terms[0]) <= _BOTH_SHARE * chunks:
            return " & ".join([all_of([term.word for term in terms[:2]]), *without])
        return None

    def _rows(self, keys: list[ChunkKey]) -> dict[ChunkKey, WordsRow]:
        """Each chunk's words; computed for those of an earlier version that are not written yet."""
        rows = word_index.rows(keys)
        missing = [key for key in keys if key not in rows]
        for chunk in chunks_of(missing):
            rows[chunk.document_id, chunk.ordinal] = word_index.row_of(chunk.headings, chunk.text)
        return rows

    def _similarities(self, keys: list[ChunkKey]) -> dict[ChunkKey, float]:
        """The cosine of passages that the vector store was not asked for, from the vectors' cache."""
        chunks = {(chunk.document_id, chunk.ordinal): chunk for chunk in chunks_of(keys)}
        vector_keys = {bytes(chunk.vector_key) for chunk in chunks.values()}
        cached = CachedVector.objects.filter(user_id=self._user_id, key__in=vector_keys)
        known = {bytes(key): np.frombuffer(values, dtype="<f4") for key, values in cached.values_list("key", "values")}
        similarities = {}
        for key, chunk in chunks.items():
            vector = known.get(bytes(chunk.vector_key))
            if vector is None or len(vector) != len(self._vector):
                embedder = adapters.embedder()
                vector = embedder.embed_passages([embedding_text(chunk)], chunk.document.filename)[0]  # type: ignore[arg-type]
            similarities[key] = float(vector @ self._vector)
        return similarities


def chunks_of(keys: Iterable[ChunkKey]) -> QuerySet[Chunk]:
    """The chunks of these keys, with their documents."""
    ordinals: dict[UUID, set[int]] = {}
    for document_id, ordinal in keys:
        ordinals.setdefault(document_id, set()).add(ordinal)
    chunks = Chunk.objects.none()
    pairs = [(document_id, ordinal) for document_id, some in ordinals.items() for ordinal in some]
    if not pairs:
        return chunks
    return Chunk.objects.select_related("document").extra(
        where=["(api_chunk.document_id, api_chunk.ordinal) IN (SELECT * FROM unnest(%s::uuid[], %s::int[]))"],
        params=[[document_id for document_id, _ in pairs], [ordinal for _, ordinal in pairs]],
    )


def _key(record_id: str) -> ChunkKey:
    document_id, _, ordinal = record_id.rpartition("#")
    return UUID(document_id), int(ordinal)


def _scope(user_id: int, wanted: Mapping[str, Any], excluded: str) -> Scope:
    """The completed documents that a filter leaves, without chunks of excluded words."""
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
    skipped_sql, skipped_parameters = word_index.skipped_sql(user_id, excluded) if excluded else ("", ())
    try:
        sql, parameters = ids.query.sql_with_params()
    except EmptyResultSet:  # a filter by no document at all
        sql, parameters = "SELECT NULL::uuid WHERE FALSE", ()
    return Scope(sql, parameters, lambda: [str(one) for one in ids], skipped_sql, skipped_parameters)

"""The words of chunks in PostgreSQL: written with the chunks, counted a tenant, searched by rare words.

One row a chunk holds its words as a tsvector (pipeline/words), found through one GIN index over tenant and words.
Triggers note how often each word is added or taken away; `count_in` sums that up. See
docs/decisions/0015-true-hybrid.md.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from docmill.documents.models import Chunk
from docmill.pipeline.chunking.chunker import passage_text
from docmill.pipeline.rank import Collection
from docmill.pipeline.vector_stores import Scope
from docmill.pipeline.words.index_words import STEM, passage_words, quoted

_CHUNKS, _WORDS = "", " "
"""Entries among a tenant's words that count its chunks and all their words."""
_CHANGES_AT_ONCE = 200_000
AT_ONCE = 500
"""Chunks of an earlier version whose words are written in one go."""
_PLACES = re.compile(r"[0-9,]+")

ChunkKey = tuple[UUID, int]
"""A chunk by its document and ordinal."""


class WordsRow(NamedTuple):
    """What the index keeps of a chunk: its number of words, and the words as a tsvector in text form."""

    length: int
    words: str

    def count(self, word: str) -> int:
        """How often the chunk holds a word or stem."""
        at = self.words.find(f"{quoted(word)}:")
        while at > 0 and self.words[at - 1] != " ":  # the end of a longer word with a quote in it
            at = self.words.find(f"{quoted(word)}:", at + 1)
        places = _PLACES.match(self.words, at + len(quoted(word)) + 1) if at >= 0 else None
        return places[0].count(",") + 1 if places else 0


def row_of(headings: Sequence[str], text: str) -> WordsRow:
    """A chunk's row, computed."""
    words = passage_words(passage_text(headings, text))
    return WordsRow(words.length, words.tsvector())


def write(user_id: int, chunks: Iterable[Any]) -> None:
    """Write the words of chunks (with document_id, ordinal, headings, text), within the caller's transaction."""
    rows = {(chunk.document_id, chunk.ordinal): row_of(chunk.headings, chunk.text) for chunk in chunks}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO api_chunkwords (document_id, ordinal, user_id, length, words)"
            " SELECT document_id, ordinal, %s, length, words::tsvector"
            " FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::text[]) AS rows (document_id, ordinal, length, words)"
            " ON CONFLICT (document_id, ordinal) DO UPDATE SET length = excluded.length, words = excluded.words",
            [
                user_id,
                [document_id for document_id, _ in rows],
                [ordinal for _, ordinal in rows],
                [row.length for row in rows.values()],
                [row.words for row in rows.values()],
            ],
        )


def fill(after: int, at_once: int = AT_ONCE) -> tuple[int, int]:
    """Write the words of chunks of an earlier version, those with an id above `after`: the last id that was looked at
    (0 at the end), and how many were written."""
    some = list(
        Chunk.objects.filter(id__gt=after)
        .annotate(user_id=F("document__user_id"))
        .only("id", "document_id", "ordinal", "headings", "text")
        .order_by("id")[:at_once]
    )
    if not some:
        return 0, 0
    known = rows([(chunk.document_id, chunk.ordinal) for chunk in some])
    missing: dict[int, list[Chunk]] = {}
    for chunk in some:
        if (chunk.document_id, chunk.ordinal) not in known:
            missing.setdefault(chunk.user_id, []).append(chunk)
    for user_id, chunks in missing.items():
        _write_living(user_id, chunks)
    return some[-1].id, sum(map(len, missing.values()))


def _write_living(user_id: int, chunks: Sequence[Chunk]) -> None:
    """Write the words of those chunks that are still there, which stay until it is done."""
    with transaction.atomic():
        ids = [chunk.id for chunk in chunks]
        living = set(Chunk.objects.select_for_update().filter(id__in=ids).values_list("id", flat=True))
        write(user_id, [chunk for chunk in chunks if chunk.id in living])


def count_in() -> bool:
    """Add noted changes to the tenants' counts; False when none were left, or another process is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('docmill words'))")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(
            "WITH taken AS (DELETE FROM api_tenantwordchange WHERE id IN"
            " (SELECT id FROM api_tenantwordchange ORDER BY id LIMIT %s) RETURNING user_id, word, chunks)"
            " INSERT INTO api_tenantword AS known (user_id, word, chunks)"
            " SELECT user_id, word, sum(chunks) FROM taken GROUP BY user_id, word"
            " ON CONFLICT (user_id, word) DO UPDATE SET chunks = known.chunks + excluded.chunks",
            [_CHANGES_AT_ONCE],
        )
        changed = bool(cursor.rowcount)
        cursor.execute("DELETE FROM api_tenantword WHERE chunks = 0")
    return changed


def collection(user_id: int, words: Sequence[str]) -> Collection:
    """The tenant's chunks, and in how many of them each of these words (or stems) is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, sum(chunks)::bigint FROM (SELECT word, chunks FROM api_tenantword"
            " WHERE user_id = %(tenant)s AND word = ANY(%(words)s) UNION ALL SELECT word, chunks"
            " FROM api_tenantwordchange WHERE user_id = %(tenant)s AND word = ANY(%(words)s)) AS counts GROUP BY word",
            {"tenant": user_id, "words": [_CHUNKS, _WORDS, *words]},
        )
        counts = {word: count for word, count in cursor.fetchall() if count > 0}
    chunks = counts.pop(_CHUNKS, 0)
    return Collection(chunks, counts.pop(_WORDS, 0) / max(chunks, 1), counts)


def alike(user_id: int, word: str) -> list[tuple[str, int]]:
    """Words of the tenant that share most groups of three letters with `word`, and their numbers of chunks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, chunks FROM api_tenantword WHERE user_id = %s AND word %% %s AND left(word, 1) <> %s"
            " AND chunks > 0 ORDER BY similarity(word, %s) DESC, chunks DESC LIMIT 20",
            [user_id, word, STEM, word],
        )
        return [(str(found), int(chunks)) for found, chunks in cursor.fetchall()]


def holding(
    user_id: int, tsquery: str, weights: Sequence[tuple[str, float]], scope: Scope, limit: int
) -> dict[ChunkKey, WordsRow]:
    """Chunks whose words match, those first that hold more of the weighted words; `scope` says in which documents."""
    order = " + ".join(["CASE WHEN words @@ %s::tsquery THEN %s ELSE 0 END"] * len(weights)) or "0"
    statement = (
        "WITH found AS MATERIALIZED (SELECT document_id, ordinal, length, words FROM api_chunkwords"  # noqa: S608
        " WHERE user_id = %s AND words @@ %s::tsquery)"
        " SELECT document_id, ordinal, length, words::text FROM found"
        f" WHERE document_id IN ({scope.sql})"  # made by Django; what users say is in the parameters
        f" ORDER BY {order} DESC, document_id, ordinal LIMIT %s"
    )
    weighted = [part for word, weight in weights for part in (quoted(word), weight)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [user_id, tsquery, *scope.parameters, *weighted, limit])
        return {(one[0], one[1]): WordsRow(one[2], one[3]) for one in cursor.fetchall()}


def rows(keys: Sequence[ChunkKey], tsquery: str | None = None) -> dict[ChunkKey, WordsRow]:
    """The rows of these chunks, without those that were not written yet; with a tsquery only those that match."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT document_id, ordinal, length, words::text FROM api_chunkwords"
            " JOIN unnest(%s::uuid[], %s::int[]) AS wanted (document_id, ordinal) USING (document_id, ordinal)"
            " WHERE %s::text IS NULL OR words @@ %s::tsquery",
            [[document_id for document_id, _ in keys], [ordinal for _, ordinal in keys], tsquery, tsquery],
        )
        return {(one[0], one[1]): WordsRow(one[2], one[3]) for one in cursor.fetchall()}


def skipped_sql(user_id: int, tsquery: str) -> tuple[str, tuple[Any, ...]]:
    """SQL and parameters that select the chunks (document_id, ordinal) whose words match."""
    return (
        "SELECT document_id, ordinal FROM api_chunkwords WHERE user_id = %s AND words @@ %s::tsquery",
        (user_id, tsquery),
    )

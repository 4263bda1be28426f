"""Loading a collection into a database of the bench's own: documents, chunks, words, vectors."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from django.contrib.auth.models import User
from django.db import connection

from docmill.documents import word_index
from docmill.documents.models import Chunk, Document
from docmill.pipeline.types import Vectors

CHUNKS_A_DOCUMENT = 10
_ROWS_A_COPY = 20_000


def empty(table: str) -> None:
    """Forget what was loaded."""
    with connection.cursor() as cursor:
        cursor.execute(f'TRUNCATE "{table}", api_document, api_tenantword, api_tenantwordchange CASCADE')


def load_documents(owners: np.ndarray, table: str, vectors: Vectors) -> list[UUID]:
    """Documents of ten consecutive records of one owner, and the vectors; each record's document. Every hundredth
    document has {"series": "hundredth"} in its metadata."""
    starts = {owner: number for number, owner in enumerate(owners.tolist())}
    User.objects.bulk_create([User(id=owner, username=f"tenant-{owner}") for owner in starts], ignore_conflicts=True)
    documents: list[UUID] = []
    made: dict[UUID, Document] = {}
    counts: dict[int, int] = {}
    for owner in owners.tolist():
        place = counts[owner] = counts.get(owner, -1) + 1
        number = place // CHUNKS_A_DOCUMENT
        key = UUID(int=owner << 64 | number)
        documents.append(key)
        if place % CHUNKS_A_DOCUMENT == 0:
            made[key] = _document(key, owner, number)
    Document.objects.bulk_create(made.values(), batch_size=5000)
    for at in range(0, len(owners), _ROWS_A_COPY):
        rows = slice(at, at + _ROWS_A_COPY)
        _copy_vectors(table, owners[rows], documents[rows], vectors[rows], at)
    with connection.cursor() as cursor:
        cursor.execute(f'VACUUM (ANALYZE) "{table}"')
        cursor.execute("ANALYZE api_document")
    return documents


def _document(key: UUID, owner: int, number: int) -> Document:
    return Document(
        id=key, user_id=owner, filename=f"{number}.txt", content_type="text/plain", size_bytes=1,
        sha256=f"{key.int:064x}", s3_key="none", status=Document.Status.COMPLETED, completed_at=datetime.now(UTC),
        metadata={"series": "hundredth"} if number % 100 == 0 else {},
    )  # fmt: skip


def _copy_vectors(table: str, owners: np.ndarray, documents: Sequence[UUID], vectors: Vectors, first: int) -> None:
    lines = io.StringIO()
    for number, (owner, document, vector) in enumerate(zip(owners.tolist(), documents, vectors, strict=True)):
        # The place in the collection is the ordinal: a hit tells which vector it is.
        lines.write(f"{owner}\t{document}\t{first + number}\t[{','.join(f'{one:.6f}' for one in vector.tolist())}]\n")
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{table}" (user_id, document_id, ordinal, embedding) FROM STDIN') as copy,
    ):
        copy.write(lines.getvalue())


def load_chunks(owner: int, documents: Sequence[UUID], texts: Sequence[str], vectors: Vectors) -> None:
    """The chunks of one tenant, their words and their cached vectors, by the code that an ingest runs."""
    from docmill.documents.vector_cache import PostgresVectorCache

    for at in range(0, len(texts), 1000):
        some = [
            Chunk(
                document_id=documents[number], ordinal=number, text=texts[number], token_count=1, first_page=1,
                last_page=1, start=0, end=len(texts[number]), source="text", vector_key=number.to_bytes(32),
            )
            for number in range(at, min(at + 1000, len(texts)))
        ]  # fmt: skip
        Chunk.objects.bulk_create(some)
        word_index.write(owner, some)
        PostgresVectorCache().put(owner, {chunk.vector_key: vectors[chunk.ordinal] for chunk in some})
    while word_index.count_in():
        pass
    with connection.cursor() as cursor:
        for table in ("api_chunk", "api_chunkwords", "api_tenantword", "api_cachedvector"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")

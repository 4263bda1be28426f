"""Search measured: recall against the exact answer, hits returned, and time, by size, company and filter; rare words.

    python -m benchmarks.search [--sizes 10000,100000] [--json FILE] [--cache DIR]

A PostgreSQL of its own, as `docmill up` starts it. Vectors are those of the local model MiniLM over real sentences,
extended beyond 20,000 by interpolation and noise (vectors.py). `exact` is the same table searched exactly; `HNSW` is a
table of that tenant alone with pgvector's graph (m 16, ef_construction 64, ef_search 200), as its users would tune it.
Times are of the store alone, in one session, on whatever else the machine does: read them as ratios.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks.search.vectors import embedded, extended, sentences, subjects
from docmill.embedded import servers
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.types import Hit, Vector, Vectors
from docmill.pipeline.vector_stores import Scope, pgvector
from docmill.pipeline.vector_stores.pgvector import PgvectorStore

REAL, QUESTIONS = 20_000, 500
ASKED = 60
"""Questions a row."""
RARE = 30

Ask = Callable[[Vector], list[Hit]]


class Bench:
    """A database, the vectors and the questions."""

    def __init__(self, database_url: str, cache: Path) -> None:
        self.url = database_url
        model = MiniLm()
        self.texts = sentences(REAL + QUESTIONS, cache)
        self.vectors = embedded(model, self.texts[:REAL], cache)
        self.questions = embedded(model, self.texts[REAL:], cache)
        self.store = PgvectorStore(database_url, model.model, model.dimension)
        self.store.setup()

    def rows(self, size: int) -> Iterator[dict[str, Any]]:
        """All rows of one size."""
        vectors = extended(self.vectors, size)
        yield from self.one_tenant(size, vectors)
        even = np.random.default_rng(5).permutation(np.arange(size) % 100 + 1)
        yield from self.companies(f"100 even tenants {size}", even, vectors, [1, 50, 100])
        zipf = zipf_owners(size, 1000)
        tenants = [1, 2, 3, 10, 100]
        yield from self.companies(f"1,000 tenants by Zipf, mixed {size}", zipf, vectors, tenants)
        by_subject = np.argsort(subjects(vectors, 1000), kind="stable")
        yield from self.companies(
            f"1,000 tenants by Zipf, each of one subject {size}", zipf, vectors[by_subject], tenants
        )

    def one_tenant(self, size: int, vectors: Vectors) -> Iterator[dict[str, Any]]:
        from benchmarks.search.load import empty, load_chunks, load_documents

        empty(self.store.table)
        documents = load_documents(np.ones(size, dtype=np.int64), self.store.table, vectors)
        everything = np.arange(size)
        yield self.row(f"docmill one tenant {size}", 1, None, vectors, everything)
        if size <= 100_000:
            yield self.hnsw(size, vectors)
        yield {"name": f"docmill insert {size}", "ms_a_row": round(self.insert_cost(vectors), 3)}
        unique = list(dict.fromkeys(documents))
        for count in (1, 100, 10_000):
            chosen = set(
                np.random.default_rng(count).choice(len(unique), min(count, len(unique)), replace=False).tolist()
            )
            inside = np.array([number // 10 in chosen for number in range(size)])
            yield self.row(
                f"docmill filter of {count} documents {size}", 1, named([unique[one] for one in sorted(chosen)]),
                vectors, everything[inside],
            )  # fmt: skip
        hundredth = everything[everything // 10 % 100 == 0]
        yield self.row(f"docmill filter by metadata {size}", 1, by_metadata(), vectors, hundredth)
        load_chunks(1, documents, chunk_texts(self.texts[:REAL], size), vectors)
        yield self.words(size)

    def companies(
        self, name: str, owners: np.ndarray, vectors: Vectors, tenants: Sequence[int]
    ) -> Iterator[dict[str, Any]]:
        """One row over some tenants, and the worst tenant's recall."""
        from benchmarks.search.load import empty, load_documents

        empty(self.store.table)
        load_documents(owners, self.store.table, vectors)
        rows = [self.row(name, owner, None, vectors, np.flatnonzero(owners == owner)) for owner in tenants]
        yield {
            "name": f"docmill {name}",
            "recall_10": round(float(np.mean([row["recall_10"] for row in rows])), 4),
            "worst_tenant": min(row["recall_10"] for row in rows),
            "returned": min(row["returned"] for row in rows),
            "p50_ms": max(row["p50_ms"] for row in rows),
            "p99_ms": max(row["p99_ms"] for row in rows),
            "exact_p50_ms": max(row["exact_p50_ms"] for row in rows),
        }

    def row(self, name: str, owner: int, scope: Scope | None, vectors: Vectors, inside: np.ndarray) -> dict[str, Any]:
        questions = self.questions[:ASKED]
        found, times = timed(lambda question: self.store.query(owner, question, 10, scope), questions)
        limit = pgvector.EXACT_ROWS
        pgvector.EXACT_ROWS = 10**9
        try:
            _, exact = timed(lambda question: self.store.query(owner, question, 10, scope), questions[:10])
        finally:
            pgvector.EXACT_ROWS = limit
        wanted = min(10, len(inside))
        truth = np.argsort(-(questions @ vectors[inside].T), axis=1)[:, :wanted]
        recalls = [
            len({int(hit.id.rpartition("#")[2]) for hit in hits} & set(inside[best].tolist())) / max(wanted, 1)
            for hits, best in zip(found, truth, strict=True)
        ]
        return {
            "name": name,
            "rows": len(inside),
            "recall_10": round(float(np.mean(recalls)), 4),
            "returned": min(map(len, found)),
            **percentiles(times),
            "exact_p50_ms": percentiles(exact)["p50_ms"],
        }

    def hnsw(self, size: int, vectors: Vectors) -> dict[str, Any]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS peer")
            cursor.execute(f'CREATE TABLE peer AS SELECT ordinal, embedding FROM "{self.store.table}"')
            cursor.execute("SET maintenance_work_mem = '1GB'")
            cursor.execute("CREATE INDEX ON peer USING hnsw (embedding vector_ip_ops)")
            cursor.execute("SET hnsw.ef_search = 200")

            def ask(question: Vector) -> list[Hit]:
                text = str(question.tolist())
                cursor.execute("SELECT ordinal FROM peer ORDER BY embedding <#> %s::vector LIMIT 10", [text])
                return [Hit(f"#{ordinal}", 0.0) for (ordinal,) in cursor.fetchall()]

            found, times = timed(ask, self.questions[:ASKED])
            cursor.execute("DROP TABLE peer")
        truth = np.argsort(-(self.questions[:ASKED] @ vectors.T), axis=1)[:, :10]
        hits = [{int(hit.id[1:]) for hit in some} for some in found]
        recall = np.mean([len(some & set(best.tolist())) / 10 for some, best in zip(hits, truth, strict=True)])
        return {"name": f"HNSW one tenant {size}", "recall_10": round(float(recall), 4), "returned": 10} | percentiles(
            times
        )

    def insert_cost(self, vectors: Vectors) -> float:
        """Milliseconds a row, in batches of 100, of rows that are then removed."""
        from docmill.pipeline.types import Record

        records = [Record(f"{UUID(int=7)}#{number}", vectors[number]) for number in range(1000)]
        began = time.perf_counter()
        for at in range(0, len(records), 100):
            self.store.upsert(1, records[at : at + 100])
        seconds = time.perf_counter() - began
        self.store.delete(1, [record.id for record in records])
        return seconds

    def words(self, size: int) -> dict[str, Any]:
        """Rare words, alone and in a question, through the whole search; the part of it that looks words up, too."""
        from docmill.documents.search import SearchRequest, search

        places, ranks, times = rare_places(size), [], []
        for number, place in enumerate(places):
            for query in (rare_word(number), f"What does {rare_word(number)} mean for the value that is returned?"):
                began = time.perf_counter()
                hits = search(1, SearchRequest(query, 3)).results
                times.append(1000 * (time.perf_counter() - began))
                ranks.append(place in {hit.chunk.ordinal for hit in hits})
        return {"name": f"docmill words {size}", "rank_3": round(100 * float(np.mean(ranks)), 1)} | percentiles(times)


def zipf_owners(size: int, tenants: int) -> np.ndarray:
    """The owner of each record, from 1, in runs: tenant n has 1/n of what the first has."""
    shares = 1 / np.arange(1, tenants + 1)
    counts = np.maximum((shares / shares.sum() * size).astype(int), 1)
    counts[0] += size - counts.sum()
    return np.repeat(np.arange(1, tenants + 1), counts)


def named(documents: Sequence[UUID]) -> Scope:
    from docmill.documents.models import Document

    return _scope(Document.objects.filter(user_id=1, id__in=documents))


def by_metadata() -> Scope:
    from docmill.documents.models import Document

    return _scope(Document.objects.filter(user_id=1, metadata__contains={"series": "hundredth"}))


def _scope(documents: Any) -> Scope:
    ids = documents.completed().values_list("id", flat=True)
    statement, parameters = ids.query.sql_with_params()
    return Scope(statement, parameters, lambda: [str(one) for one in ids])


def rare_word(number: int) -> str:
    """An identifier as a catalogue would have it, a name or a part number by turns."""
    return (f"ERR-{7000 + 13 * number}-QX", f"Zbrognev{chr(97 + number % 26)}sky", f"{48_000 + 7 * number}.{number}B")[
        number % 3
    ]


def rare_places(size: int) -> list[int]:
    return np.random.default_rng(9).choice(size, RARE, replace=False).tolist()


def chunk_texts(texts: Sequence[str], size: int) -> list[str]:
    """A text for each record: its sentence and another one, and in thirty of them a rare word."""
    other = np.random.default_rng(8).integers(0, len(texts), size).tolist()
    made = [f"{texts[number % len(texts)]} {texts[other[number]]}" for number in range(size)]
    for number, place in enumerate(rare_places(size)):
        made[place] += f" See {rare_word(number)}."
    return made


def timed(ask: Ask, questions: Vectors) -> tuple[list[list[Hit]], list[float]]:
    """The answers and their milliseconds, after one to warm up."""
    ask(questions[0])
    found, times = [], []
    for question in questions:
        began = time.perf_counter()
        found.append(ask(question))
        times.append(1000 * (time.perf_counter() - began))
    return found, times


def percentiles(times: Sequence[float]) -> dict[str, float]:
    return {f"p{part}_ms": round(float(np.percentile(times, part)), 2) for part in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "docmill-bench-search")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="docmill-bench-") as home, servers(Path(home), s3=False) as endpoints:
        os.environ |= endpoints.environ() | {
            "LOCAL_MODEL": "minilm",
            "DJANGO_SETTINGS_MODULE": "docmill.config.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from docmill.documents.vector_index import setup_index

        bench = Bench(endpoints.database_url, asked.cache)
        setup_index()
        for size in map(int, asked.sizes.split(",")):
            for row in bench.rows(size):
                rows.append(row)
                print(json.dumps(row), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()

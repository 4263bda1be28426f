"""How long 2,000 chunks take from text to searchable vectors when every call to Gemini and Pinecone takes 200 ms.

    python -m benchmarks.embedding [--chunks 2000] [--latency 0.2] [--rounds 3] [--json FILE]

The services are the contract servers in processes of their own, under the official SDKs; PostgreSQL and Valkey are
real. docmill does all it does for a document: rows, cache, shared quota. Beside it the plain SDKs, one call after
another, as their documentation has them. The floor is the time of the calls alone: 20 calls of 100 texts, four at
once, are five times the latency. Medians of several rounds, fresh tenants each.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from docmill.embedded import servers
from docmill.pipeline.types import Chunk

WORDS = [
    "harbour",
    "lantern",
    "meadow",
    "orchard",
    "quarry",
    "ribbon",
    "saddle",
    "thicket",
    "velvet",
    "walnut",
    "boat",
    "train",
    "keeper",
    "signal",
    "tide",
]


def main() -> None:
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="docmill-bench-") as folder,
        servers(Path(folder) / "home", s3=False) as started,
        _service("gemini_server", arguments.latency) as gemini,
        _service("pinecone_server", arguments.latency) as pinecone,
    ):
        _set_up_docmill(started.environ() | _environ(gemini, pinecone))
        ours, reused, plain = [], [], []
        for round_number in range(arguments.rounds):
            chunks = _chunks(arguments.chunks, round_number)
            first, second = _docmill(chunks)
            ours.append(first)
            reused.append(second)
            plain.append(_plain_sdks(chunks, gemini, pinecone))
    _report(arguments, statistics.median(ours), statistics.median(reused), statistics.median(plain))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


@contextlib.contextmanager
def _service(name: str, latency: float) -> Iterator[str]:
    """A contract server in a process of its own; its address."""
    command = [sys.executable, "-m", f"tests.contract.{name}", "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _environ(gemini: str, pinecone: str) -> dict[str, str]:
    return {
        "EMBEDDER": "gemini",
        "GEMINI_API_KEY": "gemini-key",
        "GEMINI_BASE_URL": gemini,
        "GEMINI_REQUESTS_PER_MINUTE": "0",
        "GEMINI_TOKENS_PER_MINUTE": "0",
        "VECTOR_STORE": "pinecone",
        "PINECONE_API_KEY": "pinecone-key",
        "PINECONE_CONTROLLER_HOST": pinecone,
        "LOG_LEVEL": "WARNING",
    }


def _set_up_docmill(environ: dict[str, str]) -> None:
    os.environ.update(environ)
    from docmill.up.prepare import load_django

    load_django()
    from django.core.management import call_command

    from docmill.documents.vector_index import setup_index

    call_command("migrate", verbosity=0)
    setup_index()


def _chunks(count: int, seed: int) -> list[Chunk]:
    """Chunks of about a hundred words, no two alike."""
    texts = [
        " ".join(
            f"{WORDS[(number * 7 + place * (seed + 3)) % len(WORDS)]}{number if place == 0 else ''}"
            for place in range(100)
        )
        for number in range(count)
    ]
    return [Chunk(number, text, 150, 1, 1, 0, len(text)) for number, text in enumerate(texts)]


def _docmill(chunks: list[Chunk]) -> tuple[float, float]:
    """Seconds of steps four and five for a new document, and for the same text again (all vectors from the cache)."""
    return _ingest(chunks, user := _user()), _ingest(chunks, user)


def _user() -> int:
    from django.contrib.auth.models import User

    return int(User.objects.create_user(f"bench-{uuid.uuid4()}").pk)


def _ingest(chunks: list[Chunk], user_id: int) -> float:
    from docmill import adapters
    from docmill.documents.attempt import Attempt
    from docmill.documents.locks import document_lock
    from docmill.documents.models import Document
    from docmill.documents.vector_cache import PostgresVectorCache
    from docmill.pipeline.ingest import Adapters, Job, embed_and_index
    from docmill.pipeline.vector_stores import record_id

    document = Document.objects.create(
        user_id=user_id, filename="bench.txt", content_type="text/plain", size_bytes=1, sha256=uuid.uuid4().hex
    )
    with document_lock(document.id) as lock:
        assert lock is not None
        job = Job(str(document.id), user_id, "", "bench.txt", "text/plain")
        chosen = Adapters(
            adapters.originals(),
            adapters.extractor(),
            adapters.chunker({}),
            adapters.embedder(),
            PostgresVectorCache(),
            adapters.vector_store(),
        )
        began = time.perf_counter()
        total = embed_and_index(iter(chunks), job, chosen, Attempt(document, lock))
        ids = [record_id(job.document_id, ordinal) for ordinal in range(total)]
        chosen.store.wait_until_searchable(user_id, ids, timeout=60)
        return time.perf_counter() - began


def _plain_sdks(chunks: list[Chunk], gemini: str, pinecone: str) -> float:
    """Seconds of google-genai and pinecone alone: a hundred texts a call, one call after another, then the upserts."""
    from google import genai
    from google.genai.types import EmbedContentConfig, HttpOptions
    from pinecone import Pinecone

    client = genai.Client(api_key="gemini-key", http_options=HttpOptions(base_url=gemini))
    index = Pinecone(api_key="pinecone-key", host=pinecone).index(name="docmill")
    config = EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT", output_dimensionality=768)
    began = time.perf_counter()
    for first in range(0, len(chunks), 100):
        some = chunks[first : first + 100]
        texts = [chunk.text for chunk in some]
        answer = client.models.embed_content(model="gemini-embedding-001", contents=texts, config=config)
        vectors = [
            {"id": f"plain#{chunk.ordinal}", "values": embedding.values, "metadata": {"text": chunk.text}}
            for chunk, embedding in zip(some, answer.embeddings or [], strict=True)
        ]
        index.upsert(vectors=vectors, namespace="plain")
    return time.perf_counter() - began


def _report(arguments: argparse.Namespace, ours: float, reused: float, plain: float) -> None:
    from docmill import adapters

    embedder = adapters.embedder()
    calls = math.ceil(arguments.chunks / embedder.batch_size)
    floor = math.ceil(calls / embedder.concurrency) * arguments.latency
    one_by_one = 2 * calls * arguments.latency
    rows = [
        {"name": name, "seconds": seconds, "floor": least, "over_floor": seconds - least}
        for name, seconds, least in (
            ("docmill", ours, floor),
            ("docmill, the same text again", reused, 0.0),
            ("google-genai + pinecone, one call after another", plain, one_by_one),
        )
    ]
    table = Table(
        "", "seconds", "floor of its calls", "over the floor", title=f"{arguments.chunks} chunks, {calls} calls"
    )
    for row in rows:
        table.add_row(str(row["name"]), *(f"{row[name]:.2f}" for name in ("seconds", "floor", "over_floor")))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()

"""A document that waits for a throttled service lets go when it is taken away: the pipeline's own steps, both SDKs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest

from docmill.pipeline.embed.gemini import GeminiEmbedder
from docmill.pipeline.errors import HandedOverError, StaleAttemptError, TransientError
from docmill.pipeline.ingest import Adapters, EmbeddedBatch, Job, embed_and_index
from docmill.pipeline.types import Chunk, Vector, Vectors
from docmill.pipeline.vector_stores.pinecone import PineconeStore
from tests.contract.gemini_server import GeminiServer
from tests.contract.pinecone_server import PineconeServer
from tests.contract.wire import ContractServer, Fault

JOB = Job("00000000-0000-0000-0000-000000000001", 7, "", "report.txt", "text/plain")
CHUNKS = [Chunk(n, f"Passage {n}.", 4, 1, 1, 0, 10, (), "text") for n in range(5)]


class NothingKept:
    def get(self, tenant: int, keys: object) -> dict[bytes, Any]:
        return {}

    def put(self, tenant: int, vectors: object) -> None:
        """Nothing."""


class Journal:
    """Takes the document away, if it is to be, as soon as a wait was announced."""

    def __init__(self, taken_away: bool = True) -> None:
        self._taken_away = taken_away
        self.excused: list[float] = []

    def chunks_cut(self, count: int) -> None: ...

    def chunks_ready(self, batch: EmbeddedBatch) -> None: ...

    def chunks_indexed(self, chunks_done: int) -> None: ...

    def throttled(self, seconds: float) -> None:
        self.excused.append(seconds)

    def still_mine(self) -> None:
        if self._taken_away and self.excused:
            raise StaleAttemptError


@pytest.fixture
def adapters(gemini: GeminiServer, pinecone: PineconeServer) -> Adapters:
    embedder = GeminiEmbedder(gemini.key, base_url=gemini.url)
    index = PineconeStore(pinecone.key, "docmill", 768, controller_host=pinecone.url)
    index.setup()
    return Adapters(None, None, None, embedder, NothingKept(), index)  # type: ignore[arg-type]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("service", ["gemini", "pinecone"])
def test_a_document_taken_away_stops_waiting_for_quota(
    adapters: Adapters, gemini: GeminiServer, pinecone: PineconeServer, service: str
) -> None:
    """The service asks for ten minutes; the test has half of one."""
    server: ContractServer = gemini if service == "gemini" else pinecone.indexes["docmill"]
    server.faults.add(Fault(status=429, retry_after=600, times=None))
    journal = Journal()
    with pytest.raises(StaleAttemptError):
        embed_and_index(iter(CHUNKS), JOB, adapters, journal)
    assert journal.excused and all(590 < seconds <= 600 for seconds in journal.excused), "no stage's time is counted"
    asked = server.calls.total()
    server.faults.replace([])
    assert not _soon(lambda: server.calls.total() > asked), "nothing goes on behind the back of who took it away"


@pytest.mark.parametrize("service", ["gemini", "pinecone"])
def test_a_wait_that_ends_goes_on_where_it_was(
    adapters: Adapters, gemini: GeminiServer, pinecone: PineconeServer, service: str
) -> None:
    server: ContractServer = gemini if service == "gemini" else pinecone.indexes["docmill"]
    server.faults.add(Fault(status=429, retry_after=0.1, times=8))
    journal = Journal(taken_away=False)
    assert embed_and_index(iter(CHUNKS), JOB, adapters, journal) == len(CHUNKS)
    assert len(journal.excused) == 8
    assert len(pinecone.indexes["docmill"].metadata("tenant-7")) == len(CHUNKS)
    assert len(gemini.texts) == len(CHUNKS)


class Cache:
    """Keeps vectors; `texts` whose they are."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def get(self, tenant: int, keys: object) -> dict[bytes, Vector]:
        return {}

    def put(self, tenant: int, vectors: Mapping[bytes, Vector]) -> None:
        self.texts += [PASSAGES[int(vector[0])] for vector in vectors.values()]


PASSAGES = [chunk.text for chunk in CHUNKS]


class SlowEmbedder:
    """Embeds one passage a call, two at once; the calls for `slow` ones end when `answer` is set, or far too late."""

    model, dimension, max_tokens, batch_size, concurrency = "slow", 768, 254, 1, 2
    chunk_sizes = (110, 154)

    def __init__(self, slow: Iterable[int]) -> None:
        self._slow = {PASSAGES[number] for number in slow}
        self.answer = Event()
        self.begun: list[str] = []
        self.ended: list[str] = []

    def embed_passages(self, texts: Sequence[str], title: str, wait: object = None) -> Vectors:
        (text,) = texts
        self.begun.append(text)
        if text in self._slow:
            self.answer.wait(15)
        self.ended.append(text)
        return np.full((1, self.dimension), PASSAGES.index(text), dtype=np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        raise NotImplementedError("chunks bring their count")

    def embed_query(self, text: str) -> Vector:
        raise NotImplementedError("nobody searches here")


class StoppingJournal(Journal):
    """Of a worker that was told to stop."""

    def still_mine(self) -> None:
        raise HandedOverError


@pytest.mark.parametrize(("slow", "kept"), [((1, 2), [0]), ((1,), [0, 2, 3])])
def test_a_document_is_let_go_while_it_is_embedded(
    adapters: Adapters, pinecone: PineconeServer, slow: Sequence[int], kept: Sequence[int]
) -> None:
    """What has come by then is kept; calls that run are left alone, and those not begun never are."""
    embedder, cache = SlowEmbedder(slow), Cache()
    with pytest.raises(HandedOverError):
        embed_and_index(iter(CHUNKS), JOB, replace(adapters, embedder=embedder, cache=cache), StoppingJournal())
    unanswered = [PASSAGES[number] for number in slow]
    try:
        assert not set(unanswered) & set(embedder.ended), "it was not waited for"
        assert sorted(cache.texts) == [PASSAGES[number] for number in kept]
        asked = pinecone.indexes["docmill"].calls.total()
    finally:
        embedder.answer.set()
    assert _soon(lambda: set(unanswered) <= set(embedder.ended))
    everything = sorted([*unanswered, *cache.texts])
    assert not _soon(lambda: sorted(embedder.begun) != everything or len(cache.texts) > len(kept))
    assert pinecone.indexes["docmill"].calls.total() == asked


def test_calls_that_run_when_another_fails_are_kept(adapters: Adapters) -> None:
    """The document is tried again in seconds, and nothing is paid for twice."""
    embedder, cache = SlowEmbedder([1]), Cache()

    class AnswersWhenAsked(Journal):
        def still_mine(self) -> None:
            embedder.answer.set()

    def passages() -> Iterator[Chunk]:
        yield from CHUNKS[:2]
        assert _soon(lambda: PASSAGES[1] in embedder.begun)
        raise TransientError("storage_unavailable")

    with pytest.raises(TransientError):
        embed_and_index(passages(), JOB, replace(adapters, embedder=embedder, cache=cache), AnswersWhenAsked())
    assert sorted(cache.texts) == PASSAGES[:2]


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 0.5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()

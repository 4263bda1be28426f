"""The pipeline's adapters as a document's life sees them: in memory, and refusing every call out of contract."""

import hashlib
import inspect
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError

from docmill.pipeline.embed import Wait
from docmill.pipeline.errors import DocmillError, PermanentError
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.extract.sandbox.extraction import Elsewhere, GoOn
from docmill.pipeline.types import Chunk, Hit, Page, Record, Vector, Vectors
from docmill.pipeline.vector_stores import Scope
from docmill.worker.app import app
from docmill.worker.queues import HOUSEKEEPING, WORKER_QUEUES

SCANNED = "scan of "
"""How a page begins that needs OCR."""


class Part:
    """A part that may be down: every call then raises `trouble`."""

    def __init__(self, events: list[str]) -> None:
        self.trouble: BaseException | None = None
        self._events = events

    def called(self, what: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self._events.append(what)


class FakeOriginals(Part):
    """The bucket: a key is written once, with the right hash, and is there until it is deleted."""

    def __init__(self, events: list[str], folder: Path) -> None:
        super().__init__(events)
        self.kept: dict[str, bytes] = {}
        self.ages: dict[str, float] = {}
        """Seconds since a key was written, where it was not just now."""
        self.parts: dict[str, float] = {}
        """Multipart uploads that never ended, and their ages."""
        self._folder = folder

    def put(self, key: str, path: Path, sha256_hex: str, content_type: str) -> None:
        self.called("put original")
        content = path.read_bytes()
        assert key not in self.kept, "an original is never overwritten"
        assert hashlib.sha256(content).hexdigest() == sha256_hex
        assert content_type
        self.kept[key] = content

    @contextmanager
    def download(self, key: str) -> Iterator[Path]:
        self.called("download original")
        if key not in self.kept:
            raise PermanentError("original_missing")
        path = self._folder / hashlib.sha256(key.encode()).hexdigest()
        path.write_bytes(self.kept[key])
        yield path

    def delete(self, key: str) -> None:
        self.called("delete original")
        self.kept.pop(key, None)

    def keys_older_than(self, prefix: str, age_seconds: float) -> Iterator[str]:
        self.called("list originals")
        return iter([key for key in self.kept if key.startswith(prefix) and self.ages.get(key, 0) > age_seconds])

    def abandoned_parts_removed(self, prefix: str, age_seconds: float) -> int:
        self.called("abort uploads")
        ended = [key for key, age in self.parts.items() if key.startswith(prefix) and age > age_seconds]
        for key in ended:
            del self.parts[key]
        return len(ended)


class FakeExtraction:
    """A document being read; as `Extraction`, it asks `elsewhere` for the pages that others may read."""

    title: str | None = None

    def __init__(self, extractor: "FakeExtractor", pages: list[str], elsewhere: Elsewhere | None, go_on: GoOn) -> None:
        self.pages_total: int | None = len(pages)
        self._extractor, self._pages, self._elsewhere, self._go_on = extractor, pages, elsewhere, go_on

    def __enter__(self) -> "FakeExtraction":
        assert not self._extractor.busy, "one document at a time"
        self._extractor.busy = True
        return self

    def __exit__(self, *_: object) -> None:
        self._extractor.busy = False

    def __iter__(self) -> Iterator[Page]:
        for number, text in enumerate(self._pages, start=1):
            self._go_on()
            yield Page(number, self._text(number, text), "ocr" if text.startswith(SCANNED) else "text")
            self._extractor.after_page(number)

    def _text(self, number: int, text: str) -> str:
        if self._elsewhere is None or number not in self._elsewhere.numbers:
            return self._extractor.read(number, text)
        content = self._elsewhere.content(number)
        if content is None:
            content = {"text": self._extractor.read(number, text)}
            self._elsewhere.keep(number, content)
        return str(content["text"])


class FakeExtractor(Part):
    """Reads files whose pages are separated by form feeds. `after_page` is what happens between two pages."""

    def __init__(self, events: list[str]) -> None:
        super().__init__(events)
        self.busy = False
        self.after_page: Callable[[int], None] = lambda number: None
        self.read_here: list[int] = []
        self.unreadable: Mapping[int, DocmillError] = {}

    def open(
        self,
        path: Path,
        content_type: str,
        elsewhere: Elsewhere | None = None,
        go_on: GoOn = lambda: None,
        *,
        tenant: Hashable,
    ) -> FakeExtraction:
        self.called("open")
        assert tenant, "a process reads files of one tenant"
        return FakeExtraction(self, _pages(path), elsewhere, go_on)

    def survey(self, path: Path, content_type: str, go_on: GoOn = lambda: None, *, tenant: Hashable) -> Survey:
        self.called("survey")
        assert tenant
        pages = _pages(path)
        return Survey(len(pages), [number for number, text in enumerate(pages, 1) if text.startswith(SCANNED)])

    def content(
        self, path: Path, content_type: str, number: int, go_on: GoOn = lambda: None, *, tenant: Hashable
    ) -> dict[str, Any]:
        self.called(f"content of page {number}")
        assert tenant
        go_on()
        pages = _pages(path)
        assert 1 <= number <= len(pages)
        content = {"text": self.read(number, pages[number - 1])}
        self.after_page(number)
        return content

    def read(self, number: int, text: str) -> str:
        if number in self.unreadable:
            raise self.unreadable[number]
        self.read_here.append(number)
        return text


class FakeChunker:
    """One chunk a page that has text."""

    def chunks(self, pages: Iterable[Page], title: str = "") -> Iterator[Chunk]:
        start = 0
        texts = ((page, page.text) for page in pages if page.text)
        for ordinal, (page, text) in enumerate(texts):
            yield Chunk(
                ordinal, text, len(text.split()), page.number, page.number, start, start + len(text), (), page.source
            )
            start += len(text) + 2


class FakeEmbedder(Part):
    """A vector for each text, the same for the same text. `texts` are those that were paid for."""

    model, dimension, max_tokens, batch_size, concurrency = "fake", 3, 512, 2, 1
    chunk_sizes = (110, 154)

    def __init__(self, events: list[str]) -> None:
        super().__init__(events)
        self.texts: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str], title: str, wait: Wait = lambda seconds: None) -> Vectors:
        self.called("embed")
        assert 0 < len(texts) <= self.batch_size
        assert all(texts)
        self.texts += texts
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        numbers = np.frombuffer(hashlib.sha256(text.encode()).digest()[:3], np.uint8).astype(np.float32) + 1
        unit: Vector = numbers / np.linalg.norm(numbers)
        return unit


class FakeVectorStore(Part):
    """Records by tenant. A vector is taken only when its chunk's row is committed: it could not be deleted else."""

    name = "fake"

    def __init__(self, events: list[str], dimension: int) -> None:
        super().__init__(events)
        self.records: dict[tuple[int, str], Record] = {}
        self.shows_deleted = False
        self._dimension = dimension

    def address(self) -> str:
        return ""

    def setup(self) -> None:
        self.called("set up index")

    def check(self) -> None:
        self.called("check index")

    def upsert(self, tenant: int, records: Sequence[Record], wait: Wait | None = None) -> None:
        self.called("write vectors")
        assert tenant > 0
        assert records
        for record in records:
            assert record.values.shape == (self._dimension,)
            assert abs(float(np.linalg.norm(record.values)) - 1) < 1e-5
            assert record.metadata["user_id"] == tenant
        with psycopg.connect(settings.DATABASE_URL) as session:
            rows = session.execute("SELECT document_id || '#' || ordinal FROM api_chunk").fetchall()
        assert {record.id for record in records} <= {row[0] for row in rows}, "a vector without a row"
        self.records |= {(tenant, record.id): record for record in records}

    def wait_until_searchable(
        self, tenant: int, record_ids: Sequence[str], timeout: float, wait: Wait | None = None
    ) -> None:
        self.called("wait until searchable")
        assert timeout > 0
        assert {(tenant, id_) for id_ in record_ids} <= set(self.records), "waits for what was never written"

    def query(self, tenant: int, vector: Vector, top_k: int, scope: Scope | None = None) -> list[Hit]:
        self.called("query")
        assert top_k > 0
        wanted = None if scope is None else set(scope.document_ids())
        hits = [
            Hit(id_, float(record.values @ vector))
            for (owner, id_), record in self.records.items()
            if owner == tenant and (wanted is None or id_.rpartition("#")[0] in wanted)
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:top_k]

    def record_ids(self, tenant: int, document_id: str) -> Iterator[str]:
        self.called("list vectors")
        return iter([id_ for owner, id_ in self.records if owner == tenant and id_.startswith(f"{document_id}#")])

    def delete(self, tenant: int, record_ids: Sequence[str], wait: Wait | None = None) -> None:
        self.called("delete vectors")
        assert tenant > 0
        if not self.shows_deleted:
            for id_ in record_ids:
                self.records.pop((tenant, id_), None)


class Message:
    """A message on a queue of the broker."""

    def __init__(self, task: str, args: tuple[Any, ...], queue: str, task_id: str | None, eta: datetime | None) -> None:
        self.task, self.args, self.queue, self.task_id, self.eta = task, args, queue, task_id, eta


class FakeBroker:
    """Keeps what is sent, and refuses what no worker could take. `down` makes it answer nothing."""

    def __init__(self) -> None:
        self.down = False
        self.messages: list[Message] = []
        self.on_count: Callable[[], None] = lambda: None

    def send_task(
        self,
        name: str,
        args: tuple[Any, ...] = (),
        queue: str = "",
        task_id: str | None = None,
        eta: datetime | None = None,
    ) -> None:
        if self.down:
            raise BrokerError("the broker is down")
        assert name in app.tasks, f"no worker knows {name}"
        inspect.signature(app.tasks[name].run).bind(*args)
        assert queue in {*WORKER_QUEUES, HOUSEKEEPING}
        self.messages.append(Message(name, args, queue, task_id, eta))

    def __enter__(self) -> "FakeBroker":
        return self

    def __exit__(self, *_: object) -> None: ...

    def llen(self, queue: str) -> int:
        if self.down:
            raise RedisConnectionError("the broker is down")
        self.on_count()
        return sum(message.queue == queue for message in self.messages)

    def get(self, key: str) -> None:
        """Nothing is cached."""

    def set(self, key: str, value: bytes, ex: int) -> None:
        assert 0 < ex <= 3600, "a cache's entry ends"

    def taken(self, queues: Collection[str] = (*WORKER_QUEUES, HOUSEKEEPING)) -> list[Message]:
        """The messages of these queues, which are gone from the broker then."""
        taken = [message for message in self.messages if message.queue in queues]
        self.messages = [message for message in self.messages if message.queue not in queues]
        return taken


def _pages(path: Path) -> list[str]:
    return path.read_text().split("\f")

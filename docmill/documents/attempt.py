"""An attempt's view of its document's row: every write names the attempt and fails when a newer one owns the row."""

import time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from docmill.documents import word_index
from docmill.documents.limits import spend
from docmill.documents.locks import DocumentLock
from docmill.documents.models import Chunk, Document
from docmill.documents.stage_clock import StageClock
from docmill.pipeline.errors import HandedOverError, StaleAttemptError
from docmill.pipeline.ingest import EmbeddedBatch
from docmill.pipeline.types import Page
from docmill.worker import shutdown

_TITLE_CHARACTERS = 500
_WRITE_EVERY = 0.5
"""Seconds between two writes of mere progress."""
_READING_SHARE = 45.0
"""Of a document's percentage, the part that reading its pages makes up; embedding and indexing make up the rest."""


class Attempt:
    """One claim of a document, and the journal that the pipeline writes while it works."""

    def __init__(self, document: Document, lock: DocumentLock) -> None:
        self.document = document
        self._lock = lock
        self._number = document.attempt
        self._written_at = 0.0
        self._stage_began = time.monotonic()
        self._clock = StageClock(settings.STAGE_SECONDS, settings.STAGE_MARGIN_SECONDS)
        document.pages_done = document.pages_ocr = document.vectors_reused = 0
        document.chunks_total = document.chunks_done = 0

    def downloading(self) -> None:
        self._enter(Document.Stage.DOWNLOADING)

    def extracting(self) -> None:
        self._enter(Document.Stage.EXTRACTING)

    def opened(self, title: str) -> None:
        self.document.title = title[:_TITLE_CHARACTERS]

    def page_read(self, page: Page, pages_total: int | None) -> None:
        self.document.pages_total = pages_total
        self.document.pages_done += 1
        self.document.pages_ocr += page.source != "text"
        self._progress()

    def chunks_cut(self, count: int) -> None:
        self.document.chunks_total += count
        self._progress()

    def chunking(self) -> None:
        self.document.pages_total = self.document.pages_done
        self._enter(Document.Stage.CHUNKING)

    def embedding(self) -> None:
        self._enter(Document.Stage.EMBEDDING)

    def chunks_ready(self, batch: EmbeddedBatch) -> None:
        self.document.vectors_reused += batch.reused
        tokens = sum(chunk.token_count for chunk in batch.chunks)
        # Which of a batch came from the cache is not told: they are as long as the others on average.
        spend(self.document.user_id, tokens=round(tokens * (1 - batch.reused / max(len(batch.chunks), 1))))
        rows = [self._row(chunk, key) for chunk, key in zip(batch.chunks, batch.keys, strict=True)]
        self._go_on()
        with transaction.atomic():
            self._write(**self._counts())
            Chunk.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["document", "ordinal"],
                update_fields=[
                    "text",
                    "token_count",
                    "first_page",
                    "last_page",
                    "start",
                    "end",
                    "headings",
                    "source",
                    "vector_key",
                ],
            )
            word_index.write(self.document.user_id, rows)

    def chunks_indexed(self, chunks_done: int) -> None:
        self.document.chunks_done = chunks_done
        self._progress()

    def still_mine(self) -> None:
        self._progress()

    def throttled(self, seconds: float) -> None:
        self._clock.excuse(seconds)

    def indexing(self) -> None:
        self._enter(Document.Stage.INDEXING)

    def leftovers(self, chunks_total: int) -> list[int]:
        return list(self.document.chunks.filter(ordinal__gte=chunks_total).values_list("ordinal", flat=True))

    def stop_clock(self) -> None:
        """Nothing is limited any more: the work is over, and how it ended is to be written down."""
        self._clock.stop()

    def close(self, **fields: Any) -> None:
        """Write how the attempt ended."""
        spend(self.document.user_id, pages=self.document.pages_done)
        self._note_time()
        self._write(claimed_at=None, timings=self.document.timings, **fields)
        for name, value in {"claimed_at": None, **fields}.items():
            setattr(self.document, name, value)

    def _enter(self, stage: Document.Stage) -> None:
        self._go_on()
        self._note_time()
        self._clock.enter(stage)
        self.document.stage = stage
        self._write(stage=stage, title=self.document.title, timings=self.document.timings, **self._counts())

    def _note_time(self) -> None:
        now = time.monotonic()
        self.document.timings[self.document.stage] = round(now - self._stage_began, 3)
        self._stage_began = now

    def _progress(self) -> None:
        if time.monotonic() - self._written_at > _WRITE_EVERY:
            self._go_on()
            self._write(**self._counts())

    def _counts(self) -> dict[str, Any]:
        document = self.document
        document.progress = max(document.progress, self._percent())
        return {
            name: getattr(document, name)
            for name in (
                "progress",
                "pages_total",
                "pages_done",
                "pages_ocr",
                "chunks_total",
                "chunks_done",
                "vectors_reused",
            )
        }

    def _percent(self) -> float:
        """Pages read, and of these what is indexed; 100 is kept for 'completed'."""
        document = self.document
        read = min(document.pages_done / (document.pages_total or document.pages_done + 1), 1.0)
        indexed = read * document.chunks_done / max(document.chunks_total, 1)
        return round(1 + _READING_SHARE * read + (98 - _READING_SHARE) * indexed, 1)

    def _go_on(self) -> None:
        """Raise HandedOverError when the worker is stopping, PermanentError `timeout` when the stage's time is over,
        psycopg.OperationalError when the lock is lost."""
        if shutdown.is_due():
            raise HandedOverError
        self._clock.check()
        self._lock.check()

    def _write(self, **fields: Any) -> None:
        """Raise StaleAttemptError unless this attempt still owns the row."""
        mine = Document.objects.in_progress().filter(id=self.document.id, attempt=self._number)
        if not mine.update(updated_at=timezone.now(), **fields):
            raise StaleAttemptError
        self._written_at = time.monotonic()

    def _row(self, chunk: Any, key: bytes) -> Chunk:
        return Chunk(
            document_id=self.document.id,
            ordinal=chunk.ordinal,
            text=chunk.text,
            token_count=chunk.token_count,
            first_page=chunk.first_page,
            last_page=chunk.last_page,
            start=chunk.start,
            end=chunk.end,
            headings=list(chunk.headings),
            source=chunk.source,
            vector_key=key,
        )

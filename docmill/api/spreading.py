"""A long scan is read by the whole installation: ranges of its pages are handed to whoever is free.

When a quick look finds many pages that need OCR, they are written down as rows of PageRange, and other workers are rung
to help. Every range is claimed by locking its row, so a helper
that dies gives its range back at once; the holder joins the pages in order and reads whatever nobody else has taken.
It never waits for a free worker, so many long scans cannot block each other. See docs/decisions/0003-spreading-ocr.md.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import structlog
from django.db import transaction
from django.db.models import QuerySet

from docmill import parts
from docmill.api.models import Document, PageRange
from docmill.pipeline.errors import DocmillError, StaleAttemptError
from docmill.pipeline.extract.frames import page_frame, page_from
from docmill.pipeline.extract.process import Extraction, ExtractorProcess
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.types import Page

log = structlog.get_logger("docmill.spreading")

SPREAD_FROM = 8
"""Pages that need OCR from which a document is spread."""
RANGE_PAGES = 4
"""Pages that a helper reads before it looks at other documents: small ones do not wait behind a big one."""
HELPERS = 64
_LOOK_EVERY = 0.1

RingForHelp = Callable[[Document, int], None]


class SpreadingExtractor:
    """Reads one document through this worker's box, and long scans with the help of others.

    `ring_for_help(document, count)` asks so many workers to call `help_with`.
    """

    def __init__(self, box: ExtractorProcess, document: Document, ring_for_help: RingForHelp) -> None:
        self._box = box
        self._document = document
        self._ring_for_help = ring_for_help

    @contextmanager
    def open(self, path: Path, content_type: str) -> Iterator["Extraction | SpreadPages"]:
        """The document's pages; raises as ExtractorProcess.open does."""
        survey = self._box.survey(path, content_type)
        if len(survey.to_ocr) < SPREAD_FROM:
            with self._box.open(path, content_type) as extraction:
                yield extraction
            return
        runs = _runs(survey)
        offered = [part for part, is_scanned in runs if is_scanned]
        _ranges(self._document).delete()  # what an earlier attempt left
        try:
            PageRange.objects.bulk_create(
                PageRange(document=self._document, attempt=self._document.attempt, first=part.start, last=part.stop - 1)
                for part in offered
            )
            self._ring_for_help(self._document, min(len(offered) - 1, HELPERS))
            log.info("spread", document_id=str(self._document.id), pages=len(survey.to_ocr), ranges=len(offered))
            yield SpreadPages(self._box, self._document, path, survey.pages_total, runs)
        finally:
            _ranges(self._document).delete()


class SpreadPages:
    """The pages of a document whose scanned pages are offered to other workers, in order."""

    def __init__(
        self, box: ExtractorProcess, document: Document, path: Path, pages_total: int, runs: list[tuple[range, bool]]
    ) -> None:
        self.pages_total = pages_total
        self._box = box
        self._document = document
        self._path = path
        self._runs = runs

    def __iter__(self) -> Iterator[Page]:
        for run, is_scanned in self._runs:
            yield from self._join(run) if is_scanned else self._read(run)

    def _read(self, pages: range) -> Iterator[Page]:
        with self._box.open(self._path, self._document.content_type, pages) as extraction:
            yield from extraction

    def _join(self, wanted: range) -> Iterator[Page]:
        """The pages of one range, read by a helper or here; while a helper is at it, another range is read here."""
        mine = _ranges(self._document).filter(attempt=self._document.attempt)
        while True:
            done = mine.filter(first=wanted.start, pages__isnull=False).first()
            if done is not None and done.pages is not None:
                yield from map(page_from, done.pages)
                done.delete()
                return
            if not _read_one_range(self._document, self._path, self._box, owner=True):
                if not mine.filter(first=wanted.start).exists():
                    raise StaleAttemptError
                time.sleep(_LOOK_EVERY)


def help_with(document_id: uuid.UUID, attempt: int) -> bool:
    """Read one range of another worker's document; whether there may be more to do.

    Trouble is left to the holder, who meets it when it reads the range itself.
    """
    document = Document.objects.filter(
        id=document_id, attempt=attempt, status=Document.Status.PROCESSING, deleted_at=None
    ).first()
    if document is None or not _open_ranges(document, owner=False).exists():
        return False
    with parts.originals().download(document.s3_key) as path:
        return _read_one_range(document, path, parts.extractor(), owner=False)


def _read_one_range(document: Document, path: Path, box: ExtractorProcess, *, owner: bool) -> bool:
    """Claim the first open range by locking its row, read it, store its pages; False when all are taken."""
    with transaction.atomic():
        claimed = _open_ranges(document, owner).select_for_update(skip_locked=True).order_by("first").first()
        if claimed is None:
            return False
        try:
            with box.open(path, document.content_type, range(claimed.first, claimed.last + 1)) as extraction:
                claimed.pages = [page_frame(page) for page in extraction]
        except DocmillError as error:
            if owner:
                raise
            log.warning("range_left_to_holder", document_id=str(document.id), first=claimed.first, code=error.code)
            claimed.left_to_holder = True
        claimed.save(update_fields=["pages", "left_to_holder"])
    return True


def _ranges(document: Document) -> QuerySet[PageRange]:
    return PageRange.objects.filter(document=document)


def _open_ranges(document: Document, owner: bool) -> QuerySet[PageRange]:
    ranges = _ranges(document).filter(attempt=document.attempt, pages__isnull=True)
    return ranges if owner else ranges.filter(left_to_holder=False)


def _runs(survey: Survey) -> list[tuple[range, bool]]:
    """All pages in order: runs of pages with text, and ranges of at most RANGE_PAGES that need OCR (True)."""
    runs: list[tuple[range, bool]] = []
    to_ocr = frozenset(survey.to_ocr)
    for is_scanned, numbers in groupby(range(1, survey.pages_total + 1), key=to_ocr.__contains__):
        some = list(numbers)
        length = RANGE_PAGES if is_scanned else len(some)
        runs += [(range(part, min(part + length, some[-1] + 1)), is_scanned) for part in some[::length]]
    return runs

"""OCR fan-out: a long scan is read by the whole installation: each of its pages by whoever is free.

When a quick look finds many pages that need OCR, they are written down as rows of ScannedPage, and other workers are
asked to help. A page is claimed by locking its row, so a helper that dies gives it back at once. The holder lays the
document out page by page, from the rows where they are filled, and reads itself what nobody reads. What was read stays
until the document has ended, so neither a lost worker nor giving way to other documents costs it again. See
docs/decisions/0003-spreading-ocr.md.
"""

import json
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from docmill import adapters
from docmill.documents.enqueueing import enqueue_page_readers
from docmill.documents.models import Document, ScannedPage
from docmill.pipeline.errors import DocmillError, HandedOverError, StaleAttemptError
from docmill.pipeline.extract.sandbox.extraction import Extraction
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.worker import shutdown
from docmill.worker.queues import DOCUMENT_QUEUES, PAGES, messages_waiting

log = structlog.get_logger("docmill.ocr_fanout")

FAN_OUT_FROM = 4
"""Pages that need OCR from which a document is fanned out."""
HELPERS = 64
_LOOK_EVERY = 0.1


class FanoutExtractor:
    """Reads one document through this worker's sandbox, and long scans with the help of others.

    `go_on()` raises when the document is to be let go. Without helpers every page is read here.
    """

    def __init__(
        self, sandbox: ExtractorProcess, document: Document, go_on: Callable[[], None], *, has_helpers: bool
    ) -> None:
        self._sandbox = sandbox
        self._document = document
        self._go_on = go_on
        self._has_helpers = has_helpers

    @contextmanager
    def open(self, path: Path, content_type: str) -> Iterator[Extraction]:
        """The document's pages; raises as ExtractorProcess.open does."""
        shared, tenant = self._shared(path, content_type), self._document.user_id
        with self._sandbox.open(path, content_type, shared, self._go_on, tenant=tenant) as extraction:
            yield extraction

    def _shared(self, path: Path, content_type: str) -> "SharedPages | None":
        if not self._has_helpers:
            return None
        to_ocr = self._sandbox.survey(path, content_type, self._go_on, tenant=self._document.user_id).to_ocr
        if len(to_ocr) < FAN_OUT_FROM:
            return None
        return SharedPages(self._document, to_ocr, self._go_on)


class SharedPages:
    """The pages of a document that other workers may read, as the worker sees them that holds it."""

    def __init__(self, document: Document, numbers: Collection[int], go_on: Callable[[], None]) -> None:
        self.numbers = frozenset(numbers)
        self._document = document
        self._go_on = go_on
        self._began = time.monotonic()
        ScannedPage.objects.bulk_create(
            (ScannedPage(document=document, number=number) for number in sorted(numbers)), ignore_conflicts=True
        )
        # Whoever kept these to himself is gone.
        ScannedPage.objects.filter(document=document, content=None, reserved=True).update(reserved=False)
        log.info("fanned_out", document_id=str(document.id), pages=len(numbers), unread=_unread(document).count())
        self._ask_for_help()

    def content(self, number: int) -> dict[str, Any] | None:
        """What was read of the page, waited for while a helper is at it; None when it is to be read here. Raises
        HandedOverError when it is others' turn, and as `go_on` does."""
        while True:
            self._go_on()
            page = ScannedPage.objects.filter(document=self._document, number=number).first()
            if page is None:
                return None
            if page.content is not None:
                return unpacked(bytes(page.content))
            self._give_way()
            if self._claim(page):
                self._ask_for_help()
                return None
            time.sleep(_LOOK_EVERY)

    def keep(self, number: int, content: dict[str, Any]) -> None:
        """Store what was read here, for the case that the document is begun anew."""
        ScannedPage.objects.filter(document=self._document, number=number).update(content=packed(content))

    def _give_way(self) -> None:
        """A long scan takes turns with documents that wait, so that no small one waits behind it."""
        if time.monotonic() - self._began > settings.SCAN_TURN_SECONDS and messages_waiting(DOCUMENT_QUEUES):
            log.info("gave_way", document_id=str(self._document.id))
            raise HandedOverError

    def _ask_for_help(self) -> None:
        """Ask as many workers as there are pages, unless messages are waiting: then all are busy."""
        if messages_waiting((PAGES,)) == 0:
            enqueue_page_readers(self._document.id, min(_unread(self._document).count() - 1, HELPERS))

    @staticmethod
    def _claim(page: ScannedPage) -> bool:
        """Keep the page from helpers; False when one is at it."""
        with transaction.atomic():
            free = ScannedPage.objects.select_for_update(skip_locked=True).filter(id=page.id, content=None)
            return bool(free) and bool(free.update(reserved=True))


def help_with(document_id: uuid.UUID) -> bool:
    """Read pages of another worker's document until none is left or others need this one; whether there may be more.

    Trouble is left to the holder, who meets it when it reads the page itself.
    """
    document = _in_work(document_id).first()
    if document is None or not _unread(document).exists():
        return False
    with adapters.originals().download(document.s3_key) as path:
        while number := _next_page(document):
            with suppress(HandedOverError, StaleAttemptError):  # the page is as it was; what is next is seen below
                _read_page(document, number, path)
            if shutdown.is_asked() or messages_waiting(DOCUMENT_QUEUES):
                return True
    return False


def _next_page(document: Document) -> int | None:
    """The second of the pages that nobody reads. The first is left to the holder: it wants that one next, and would
    idle while another reads it."""
    with transaction.atomic():
        free = list(_unread(document).select_for_update(skip_locked=True, of=("self",)).order_by("number")[:2])
    return free[1].number if len(free) > 1 else None


def _read_page(document: Document, number: int, path: Path) -> None:
    """Claim the page by locking its row, read it, store its content; nothing if another was faster.

    Raises as `_go_on` does, which leaves the page to others.
    """
    with transaction.atomic():
        page = _unread(document).select_for_update(skip_locked=True, of=("self",)).filter(number=number).first()
        if page is None:
            return
        try:
            content = adapters.extractor().content(
                path, document.content_type, number, partial(_go_on, document), tenant=document.user_id
            )
            page.content = packed(content)
        except DocmillError as error:
            log.warning("page_left_to_holder", document_id=str(document.id), page=number, code=error.code)
            page.reserved = True
        page.save(update_fields=["content", "reserved"])


def _go_on(document: Document) -> None:
    """Raise HandedOverError when this worker is stopping, StaleAttemptError when the document has ended."""
    if shutdown.is_due():
        raise HandedOverError
    if not _in_work(document.id).exists():
        raise StaleAttemptError


def _in_work(document_id: uuid.UUID) -> QuerySet[Document]:
    return Document.objects.in_progress().filter(id=document_id)


def _unread(document: Document) -> QuerySet[ScannedPage]:
    """Pages that a helper may read, as long as the document is in work."""
    return ScannedPage.objects.filter(
        document=document,
        document__in=_in_work(document.id),
        content=None,
        reserved=False,
    )


def forget_ended() -> int:
    """Remove the pages of documents that have ended; how many."""
    ended = ScannedPage.objects.exclude(document__status=Document.Status.PROCESSING)
    with transaction.atomic():
        ids = [page.id for page in ended.select_for_update(skip_locked=True, of=("self",)).only("id")]
        return ScannedPage.objects.filter(id__in=ids).delete()[0]


def packed(content: dict[str, Any]) -> bytes:
    """A page's content as it is stored: text of any characters, which a JSON column would refuse, compressed."""
    return zlib.compress(json.dumps(content).encode(), 1)


def unpacked(stored: bytes) -> dict[str, Any]:
    """The content that was stored."""
    content: dict[str, Any] = json.loads(zlib.decompress(stored))
    return content

"""A long scan is read by all workers together, and comes out in order."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pypdfium2 as pdfium
import pytest
from django.contrib.auth.models import User

from docmill import adapters
from docmill.cli.background import BackgroundSystem
from docmill.documents import ocr_fanout
from docmill.documents.locks import document_lock
from docmill.documents.models import Document, ScannedPage
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.worker import shutdown
from tests.integration.conftest import superuser_url
from tests.integration.files import pdf, scan
from tests.integration.tenant import Tenant

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def with_text_in_front(text: str, scanned: bytes, folder: Path) -> bytes:
    """A PDF whose first page has a text layer and whose others are scans."""
    document = pdfium.PdfDocument(pdf(text))
    document.import_pages(pdfium.PdfDocument(scanned))
    target = folder / "mixed.pdf"
    document.save(target)
    return target.read_bytes()


def test_a_long_scan_is_offered_to_all_workers_and_joined_in_order(
    system: BackgroundSystem, tenant: Tenant, tmp_path: Path
) -> None:
    pages = [f"This page tells of station number {number}." for number in NUMBERS]
    cover = "The cover of this folder has a text layer of its own, with a sentence or two."
    document = tenant.ingest("stations.pdf", with_text_in_front(cover, scan(*pages), tmp_path))
    assert document["error"] is None
    assert (document["pages_total"], document["pages_ocr"]) == (11, 10)
    chunks = tenant.get(f"/api/documents/{document['document_id']}/chunks/").json()["results"]
    text = " ".join(chunk["text"] for chunk in chunks)
    assert text.startswith("The cover")
    places = [text.index(f"number {number}") for number in NUMBERS]
    assert places == sorted(places)
    _until(lambda: not ScannedPage.objects.filter(document_id=document["document_id"]).exists())
    log = (system.home.path / "logs" / "worker-1.log").read_text()
    assert any("fanned_out" in line and document["document_id"] in line for line in log.splitlines())


@pytest.fixture
def held(database: None) -> Iterator[Document]:
    """A scan of three pages in work, held by this test, so that the running system leaves it alone."""
    document = Document(
        user=User.objects.create_user(f"tenant-{uuid4()}"), size_bytes=1, content_type="application/pdf"
    )
    with document_lock(document.id):
        document.save()
        ScannedPage.objects.bulk_create(ScannedPage(document=document, number=number) for number in (1, 2, 3))
        yield document
        document.delete()


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process as a helper whose extractor waits for a page until its time is over."""
    path = tmp_path / "hostile.pdf"
    path.touch()

    class Originals:
        @contextmanager
        def download(self, key: str) -> Iterator[Path]:
            yield path

    box = ExtractorProcess(SandboxLimits(page_seconds=10), reader="tests.unit.hostile_reader")
    monkeypatch.setattr(adapters, "originals", Originals)
    monkeypatch.setattr(adapters, "extractor", lambda: box)
    monkeypatch.setattr(ocr_fanout, "messages_waiting", lambda queues: 0)
    yield
    box.close()


def test_a_helper_that_is_to_stop_lets_go_of_its_page(
    held: Document, helper: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "is_asked", lambda: True)
    monkeypatch.setattr(shutdown, "is_due", lambda: True)
    assert ocr_fanout.help_with(held.id), "there is more for others"
    assert _unread(held) == 3


def test_a_helper_lets_go_of_a_page_of_a_deleted_scan(
    system: BackgroundSystem, held: Document, helper: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_meanwhile() -> bool:
        with psycopg.connect(superuser_url(system)) as another:
            another.execute("UPDATE api_document SET deleted_at = now() WHERE id = %s", (held.id,))
        return False

    monkeypatch.setattr(shutdown, "is_due", delete_meanwhile)
    assert not ocr_fanout.help_with(held.id), "there is nothing more to do"
    assert _unread(held) == 3


def _unread(document: Document) -> int:
    return ScannedPage.objects.filter(document=document, content=None, reserved=False).count()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

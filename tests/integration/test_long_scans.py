"""A long scan is read by all workers together, and comes out in order."""

import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2 as pdfium

from docmill.api.models import ScannedPage
from docmill.up.background import BackgroundSystem
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
    assert any("spread" in line and document["document_id"] in line for line in log.splitlines())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

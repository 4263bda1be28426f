"""How much faster is a long scan read by many children, and does a small document wait behind it?

    python -m benchmarks.spreading [--pages 24] [--played-pages 200] [--children 16] [--json FILE]

Real OCR on one child and on two, which is what two processors can show. Then the same system with played OCR, which
takes a second a page and no processor (benchmarks/played), on one child and on sixteen. Beside it the way without
spreading: one child reads all. Last, a small text that comes in while every child is busy with a long scan.
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from reportlab.lib.pagesizes import A4, A6
from reportlab.pdfgen.canvas import Canvas

from benchmarks.scans import Scan, write_scanned_pdf
from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.embedded.ports import free_port

PLAYED = Path(__file__).parent / "played"
_WORDS = ("harbour", "ledger", "copper", "winter", "signal", "garden", "bridge", "carbon", "meadow", "engine", "island")


def scan(pages: int, folder: Path, *, size: tuple[float, float] = A4, lines: int = 30, number: int = 0) -> Path:
    """A scanned PDF of distinct pages."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=size)
    for page in range(pages):
        text = canvas.beginText(40, size[1] - 60)
        for line in range(lines):
            words = [_WORDS[(page * 7 + line * 3 + word * (1 + page % 5)) % len(_WORDS)] for word in range(7)]
            text.textLine(f"In {1000 + number * 5000 + page * 12 + line} the {' '.join(words)}.")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    target = folder / f"scan-{pages}-{number}.pdf"
    dpi = 200 if size == A4 else 40  # played OCR does not look
    write_scanned_pdf(stream.getvalue(), Scan("clean", dpi=dpi), target)
    assert len(pdfium.PdfDocument(target)) == pages
    return target


@contextmanager
def installation(children: int, *, played: bool) -> Iterator[BackgroundSystem]:
    """A fresh system with so many worker children."""
    environ = own_environ({"OMP_NUM_THREADS": "1"})
    if played:
        environ["PYTHONPATH"] = os.pathsep.join([str(PLAYED), environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="docmill-spread-") as folder:
        options = ("--workers", "1", "--concurrency", str(children))
        home = Path(folder) / "home"
        with background_system(home, port=free_port(), options=options, environ=environ) as system:
            yield system


def ended(system: BackgroundSystem, document_id: str) -> dict[str, Any]:
    """The document when it is completed."""
    while True:
        document = dict(system.client.document(document_id))
        if document["status"] == "completed":
            return document
        if document["status"] == "failed":
            raise SystemExit(f"the document failed: {document['error']}")
        time.sleep(0.1)


def seconds_to_read(path: Path, children: int, *, played: bool) -> float:
    """From the upload until the document is searchable."""
    with installation(children, played=played) as system:
        warm = scan(3 * children, path.parent, size=A6, number=7)  # every child loads its models once
        ended(system, system.client.ingest(warm)["document_id"])
        began = time.monotonic()
        document = ended(system, system.client.ingest(path)["document_id"])
        seconds = time.monotonic() - began
    assert document["pages_ocr"] == document["pages_total"], document
    return seconds


def seconds_of_a_small_one(folder: Path) -> tuple[float, float]:
    """A small text's seconds until searchable: alone, and while both children of a system read long scans."""
    with installation(2, played=True) as system:
        texts = [folder / f"note-{number}.txt" for number in range(3)]
        for number, text in enumerate(texts):
            text.write_text(f"The note with number {number} says that the gate is closed at noon.")
        ended(system, system.client.ingest(texts[0])["document_id"])
        began = time.monotonic()
        ended(system, system.client.ingest(texts[1])["document_id"])
        alone = time.monotonic() - began
        scans = [scan(120, folder, size=A6, number=number) for number in (1, 2)]
        long_ones = [system.client.ingest(path)["document_id"] for path in scans]
        while not all(system.client.document(one)["pages_done"] for one in long_ones):
            time.sleep(0.1)
        began = time.monotonic()
        ended(system, system.client.ingest(texts[2])["document_id"])
        beside = time.monotonic() - began
        assert all(system.client.document(one)["status"] == "processing" for one in long_ones)
    return alone, beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=24)
    parser.add_argument("--played-pages", type=int, default=200)
    parser.add_argument("--children", type=int, default=16)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[tuple[str, int, int, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="docmill-scans-") as name:
        folder = Path(name)
        real = scan(asked.pages, folder)
        many = scan(asked.played_pages, folder, size=A6, lines=6)
        for what, path, pages, counts in (
            ("real OCR", real, asked.pages, (1, 2)),
            ("played OCR, 1 s a page", many, asked.played_pages, (1, asked.children)),
        ):
            alone = 0.0
            for children in counts:
                seconds = seconds_to_read(path, children, played=path is many)
                alone = alone or seconds
                rows.append((what, pages, children, round(seconds, 1), round(alone / seconds, 2)))
                print(rows[-1], flush=True)
        small_alone, small_beside = seconds_of_a_small_one(folder)
    print("\n| | pages | children | seconds | times as fast |\n|---|---:|---:|---:|---:|")
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")
    print("\n| a small text until it is searchable | seconds |\n|---|---:|")
    print(f"| alone | {small_alone:.1f} |\n| while both children read scans of 120 pages | {small_beside:.1f} |")
    if asked.json:
        small = {"alone": small_alone, "beside_long_scans": small_beside}
        asked.json.write_text(json.dumps({"rows": rows, "small": small}, indent=1))


if __name__ == "__main__":
    main()

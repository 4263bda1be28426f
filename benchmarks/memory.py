"""Is memory flat? Peak resident memory of a worker and its extractor for PDFs of 20, 200 and 2,000 pages.

    python -m benchmarks.memory [--pages 20 200 2000] [--json FILE]

Beside it, what the plain way takes: a process that reads the whole PDF with pypdfium2, splits it with the same chunker
and keeps all chunks and their vectors (not computed, only held) in lists.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from reportlab.pdfgen.canvas import Canvas

from docmill.cli.background import BackgroundSystem, background_system, own_environ
from docmill.embedded.ports import free_port

_WORDS = ("harbour", "ledger", "copper", "winter", "signal", "garden", "bridge", "carbon", "meadow", "engine", "island")
_PLAIN = """
import sys, resource
import numpy, pypdfium2
from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.types import Page
document = pypdfium2.PdfDocument(sys.argv[1])
pages = [Page(n + 1, document[n].get_textpage().get_text_bounded()) for n in range(len(document))]
chunks = list(Chunker(MiniLm().count_tokens, ChunkOptions()).chunks(pages))
vectors = [numpy.zeros(384, numpy.float32) + 1 for _ in chunks]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def pdf(pages: int) -> bytes:
    """A PDF whose pages each hold a few distinct sentences."""
    stream = io.BytesIO()
    canvas = Canvas(stream)
    for page in range(pages):
        text = canvas.beginText(72, 760)
        for line in range(12):
            words = [_WORDS[(page * 7 + line * 3 + word * (1 + page % 5)) % len(_WORDS)] for word in range(9)]
            text.textLine(f"In {1000 + page * 12 + line} the {' '.join(words)}.")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def peak_while_ingesting(system: BackgroundSystem, pages: int) -> dict[str, float]:
    """Peak resident MiB of the largest worker child and of its extractor, and seconds until searchable."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        Path(file.name).write_bytes(pdf(pages))
        began = time.monotonic()
        document_id = system.client.ingest(Path(file.name))["document_id"]
    worker = extractor = 0
    while True:
        for process in psutil.Process(system.pid).children(recursive=True):
            try:
                command, resident = " ".join(process.cmdline()), process.memory_info().rss
            except psutil.Error:
                continue
            if "extract.sandbox.zygote" in command:
                extractor = max(extractor, resident)
            elif "celery" in command and "documents" in command:
                worker = max(worker, resident)
        document = system.client.document(document_id)
        if document["status"] != "processing":
            break
        time.sleep(0.05)
    if document["status"] != "completed":
        raise SystemExit(f"the document failed: {document['error']}")
    return {
        "worker_mib": round(worker / 2**20),
        "extractor_mib": round(extractor / 2**20),
        "chunks": document["chunks_total"],
        "seconds": round(time.monotonic() - began, 1),
    }


def peak_of_the_plain_way(pages: int) -> int:
    """Peak resident MiB of one process that holds everything."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        Path(file.name).write_bytes(pdf(pages))
        command = [sys.executable, "-c", _PLAIN, file.name]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[20, 200, 2000])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    for pages in asked.pages:
        # A fresh system for each size: memory that an allocator keeps must not hide a peak.
        with tempfile.TemporaryDirectory(prefix="docmill-memory-") as folder:
            options = ("--workers", "1", "--concurrency", "1")
            environ = own_environ()
            with background_system(Path(folder) / "home", port=free_port(), options=options, environ=environ) as system:
                row = {"name": f"docmill, {pages} pages", **peak_while_ingesting(system, pages)}
        rows.append(row | {"plain_mib": peak_of_the_plain_way(pages)})
        print(rows[-1], flush=True)
    print("\n| document | worker MiB | extractor MiB | chunks | seconds | all in one process MiB |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print("|", " | ".join(str(value) for value in row.values()), "|")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()

"""What the sandbox costs: documents read in this process, in one extractor, and by another extractor each.

    python -m benchmarks.sandbox [--rounds N] [--json FILE]

Each row is the median over rounds, interleaved, of the seconds that all documents of a kind take. `other tenant each`
is the worst case: no two documents in a row are the same tenant's.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image, ImageDraw

from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.extract.sandbox.process import ExtractorProcess

SAMPLES = Path(__file__).parent / "samples"
DOCUMENTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        for kind, paths in documents(Path(folder)).items():
            rows += measured(kind, paths, asked.rounds)
    print("\n| documents | seconds | to reading without walls |\n|---|---|---|")
    for row in rows:
        print(f"| {row['name']} | {row['seconds']:.3f} | {row['ratio']:.3f} |")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


def documents(folder: Path) -> dict[str, list[Path]]:
    """Kinds of documents, from those that take no time to those that take seconds."""
    note = folder / "note.txt"
    note.write_text("A note of one sentence.\n" * 50)
    scan = folder / "scan.png"
    image = Image.new("RGB", (1240, 500), "white")
    for line in range(8):
        ImageDraw.Draw(image).text(
            (60, 40 + 50 * line), "The granary holds two hundred sacks of rye", "black", font_size=30
        )
    Image.fromarray(np.asarray(image)).save(scan)
    pdfs = [path for path in sorted(SAMPLES.rglob("*.pdf")) if "scan" not in path.name][:1]
    kinds = {"20 notes": [note] * DOCUMENTS, "3 scans": [scan] * 3}
    return kinds | ({f"20 PDFs ({pdfs[0].name})": pdfs * DOCUMENTS} if pdfs else {})


def measured(kind: str, paths: list[Path], rounds: int) -> list[dict[str, object]]:
    process = ExtractorProcess()
    ways: dict[str, Callable[[int, Path], object]] = {
        "without walls": lambda _, path: list(read_document(path, detect_type(path, path.name)).pages),
        "one tenant": lambda _, path: read(process, path, 1),
        "other tenant each": lambda number, path: read(process, path, number),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for round_ in range(rounds + 1):
        for way, read_one in ways.items():
            began = time.perf_counter()
            for number, path in enumerate(paths):
                read_one(number, path)
            if round_:  # the first loads libraries and models
                times[way].append(time.perf_counter() - began)
    process.close()
    floor = median(times["without walls"])
    return [
        {"name": f"docmill {kind}, {way}", "seconds": round(median(taken), 4), "ratio": round(median(taken) / floor, 4)}
        for way, taken in times.items()
    ]


def read(process: ExtractorProcess, path: Path, tenant: int) -> None:
    with process.open(path, detect_type(path, path.name), tenant=tenant) as extraction:
        for _ in extraction:
            pass


if __name__ == "__main__":
    main()

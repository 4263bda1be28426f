"""At which resolution is a scan best rendered for OCR? Errors and seconds a page of docmill's OCR, on one thread.

python -m benchmarks.resolution [--texts N]
"""

import argparse
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks import extract_documents as documents
from benchmarks import extract_peers as peers
from benchmarks.extract import quality, timed

RESOLUTIONS = (100, 150, 200, 250, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2, help="how many texts are scanned in every way")
    asked = parser.parse_args()
    errors: dict[tuple[int, bool], list[float]] = defaultdict(list)
    seconds: dict[int, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for scan, document in documents.make_scans(Path(folder), asked.texts):
            for dpi in RESOLUTIONS:
                images = documents.rendered(document.path, dpi)
                if not seconds:
                    peers.docmill_ocr(images)  # loads the models
                text, taken = timed(lambda images=images: peers.docmill_ocr(images))
                errors[dpi, scan.is_clean].append(100 - quality(text, document.truth))
                seconds[dpi].append(taken / len(images))
    print("| dots an inch | clean, % wrong | degraded, % wrong | seconds a page |\n|---|---:|---:|---:|")
    for dpi in RESOLUTIONS:
        print(
            f"| {dpi} | {mean(errors[dpi, True]):.2f} | {mean(errors[dpi, False]):.2f} | {median(seconds[dpi]):.2f} |"
        )


if __name__ == "__main__":
    main()

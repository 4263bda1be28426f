"""Extraction and OCR against known text and against what users would take instead, in one run.

    python -m benchmarks.extract [--documents DIR] [--peers DIR] [--json FILE] [--picture FILE] [--texts N]

Quality is 100 % less the edit distance to the author's text over its length, spaces and list marks evened out, so
order, running headers left in and hyphens left in all count. Times are medians of interleaved rounds on one thread;
each reader of digital files has a process of its own.
"""

import argparse
import json
import logging
import os
import re
import sys
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rapidfuzz.distance import Levenshtein

from benchmarks import extract_documents as documents
from benchmarks import extract_peers as peers

GROUPS = ("plain", "two columns", "tables", "mixed", "right to left")
ROUNDS = 7
READS = 3
ROWS = ("rows in order", "cells told apart")
CELLS_APART = r"\s*(?:[|\t]|\s\s)\s*"
_MARKS = re.compile(r"[|•\-–—\u00ad\ufffe\x02]+(?=\s)|[|•]")


def normal(text: str) -> str:
    """Text with ligatures as letters, table and list marks dropped, and every run of spaces as one."""
    return " ".join(_MARKS.sub(" ", unicodedata.normalize("NFKC", text)).split())


def quality(text: str, truth: str) -> float:
    """Percent of the truth that is right, 0 to 100."""
    wanted = normal(truth)
    return max(0.0, 100 * (1 - Levenshtein.distance(normal(text), wanted) / max(len(wanted), 1)))


def rows_found(text: str, rows: Sequence[tuple[str, ...]], between: str) -> float:
    """Percent of the rows of a document's tables whose cells stand in order on one line, `between` between them."""
    lines = Counter(unicodedata.normalize("NFKC", line) for line in text.splitlines())
    found = 0
    for row, times in Counter(rows).items():
        cells = re.compile(between.join(r"\s+".join(map(re.escape, cell.split())) for cell in row))
        found += min(times, sum(count for line, count in lines.items() if cells.search(line)))
    return 100 * found / len(rows)


def timed(call: Callable[[], str]) -> tuple[str, float]:
    began = time.perf_counter()
    text = call()
    return text, time.perf_counter() - began


def compare(readers: dict[str, Callable[[Path], str]], files: list[documents.Document]) -> list[dict[str, Any]]:
    """A row a reader: quality by group and overall, and the median of its time over pdfium's on plain pages."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    rows_right: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for file in files:
        for name, read in readers.items():
            try:
                text = read(file.path)
            except Exception as error:
                text = ""
                print(f"{name} failed on {file.path.name}: {error!r}")
            scores[name][file.group].append(quality(text, file.truth))
            if file.rows:
                rows_right[name].append((rows_found(text, file.rows, ".*?"), rows_found(text, file.rows, CELLS_APART)))
    plain = [file.path for file in files if file.group in ("plain", "docx") or file.group.startswith("given")]
    seconds = times(readers, plain)
    floor = "pypdfium2 (raw)" if "pypdfium2 (raw)" in readers else next(iter(readers))
    rows = []
    for name in readers:
        ratios = [median(seconds[name][path]) / median(seconds[floor][path]) for path in plain]
        by_group = {group: round(mean(values), 2) for group, values in scores[name].items()}
        rows.append(
            {
                "name": name,
                **by_group,
                "overall": round(mean(by_group.values()), 2),
                **{
                    column: round(mean(values), 2)
                    for column, values in zip(ROWS, zip(*rows_right[name], strict=True), strict=False)
                },
                "time_over_raw": round(median(ratios), 2),
                "ms_a_document": round(1000 * mean(median(seconds[name][path]) for path in plain), 2),
            }
        )
    return rows


def times(readers: dict[str, Callable[[Path], str]], paths: list[Path]) -> dict[str, dict[Path, list[float]]]:
    """Seconds a file, `ROUNDS` times `READS`. Readers take turns, each in a process of its own, as users have it."""
    seconds: dict[str, dict[Path, list[float]]] = defaultdict(lambda: defaultdict(list))
    spawn = get_context("spawn")
    with ExitStack() as stack:
        processes = {name: stack.enter_context(ProcessPoolExecutor(1, spawn)) for name in readers}
        for _ in range(ROUNDS):
            for path in paths:
                for name, read in readers.items():
                    try:
                        seconds[name][path] += processes[name].submit(turn, read, path).result()
                    except Exception:  # said where quality was taken
                        seconds[name][path].append(float("nan"))
    return seconds


def turn(read: Callable[[Path], str], path: Path) -> list[float]:
    """The seconds of `READS` reads, after one that pays for the processor's having done something else."""
    read(path)
    return [timed(lambda: read(path))[1] for _ in range(READS)]


def compare_ocr(scans: list[tuple[documents.Scan, documents.Document]]) -> list[dict[str, Any]]:
    """A row an engine: character error rate by kind of scan, and seconds a page."""
    engines = peers.ocr_engines()
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, list[float]] = defaultdict(list)
    warm = documents.rendered(scans[0][1].path)
    for engine in engines.values():
        engine(warm)
    for scan, document in scans:
        images = documents.rendered(document.path)
        for name, engine in engines.items():
            text, taken = timed(lambda engine=engine, images=images: engine(images))
            errors[name][scan.name].append(100 - quality(text, document.truth))
            seconds[name].append(taken / len(images))
    clean = {scan.name for scan, _ in scans if scan.is_clean}
    rows = []
    for name in engines:
        by_kind = {kind: round(mean(values), 2) for kind, values in errors[name].items()}
        rows.append(
            {
                "name": name,
                **by_kind,
                "clean": round(mean(v for k, v in by_kind.items() if k in clean), 2),
                "degraded": round(mean(v for k, v in by_kind.items() if k not in clean), 2),
                "seconds_a_page": round(median(seconds[name]), 2),
            }
        )
    return rows


def table(title: str, rows: list[dict[str, Any]], columns: list[str]) -> str:
    lines = [f"\n{title}\n", "| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for row in rows:
        cells = (f"{row.get(column, float('nan')):.2f}" for column in columns)
        lines += [f"| {row['name']} | " + " | ".join(cells) + " |"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--documents", type=Path, help="a folder of NAME.pdf or NAME.docx, each with NAME.txt, its truth"
    )
    parser.add_argument("--peers", type=Path, help="a folder that holds unstructured's packages, to compare it too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--texts", type=int, default=2, help="how many texts are scanned in every way")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.peers:
        sys.path.append(str(options.peers))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        if options.documents:
            given = list(documents.given_documents(options.documents))
            pdfs = [file for file in given if file.path.suffix == ".pdf"]
            words = [file for file in given if file.path.suffix == ".docx"]
            scans = []
        else:
            pdfs, words = list(documents.make_pdfs(target)), list(documents.make_docx(target))
            scans = list(documents.make_scans(target, options.texts))
        pdf_rows = compare(peers.pdf_readers(), pdfs) if pdfs else []
        docx_rows = compare(peers.DOCX_READERS, words) if words else []
        ocr_rows = compare_ocr(scans) if scans else []
    groups = [group for group in (*GROUPS, "given pdf") if pdf_rows and group in pdf_rows[0]]
    if pdf_rows:
        print(table("PDF: percent of the text right; time over pypdfium2's raw text", pdf_rows,
                    [*groups, "overall", *ROWS, "time_over_raw"]))  # fmt: skip
    if docx_rows:
        print(
            table(
                "DOCX: percent of the text right; milliseconds a document",
                docx_rows,
                ["overall", *ROWS, "ms_a_document"],
            )
        )
    if ocr_rows:
        kinds = [scan.name for scan in documents.SCANS]
        print(table("OCR: percent of characters wrong; seconds a page on one thread", ocr_rows,
                    [*kinds, "clean", "degraded", "seconds_a_page"]))  # fmt: skip
    if options.json:
        docx_named = [{**row, "name": f"{row['name']} docx"} for row in docx_rows]
        options.json.write_text(json.dumps({"rows": [*pdf_rows, *docx_named, *ocr_rows]}, indent=1))
    if options.picture and pdf_rows and ocr_rows:
        from benchmarks.extract_picture import draw

        draw(pdf_rows, ocr_rows, groups, options.picture)
        print(f"\npicture: {options.picture}")


if __name__ == "__main__":
    main()

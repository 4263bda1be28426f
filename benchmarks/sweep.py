"""Every file of a folder through the sandbox, as a worker reads it: what came of it, in what time and memory.

    python -m benchmarks.sweep --documents DIR [--json FILE] [--text DIR]

A row a file: its path within DIR, the outcome (`ok` or the error's code), seconds, the sandbox's peak memory in MB
(models that an earlier file loaded included), pages, and characters. Of PDFs, and of Office files that are ZIPs of XML,
`recall` is the share of the words that pdftotext (pdfium, where it is not installed) or the XML itself holds and that
came out. The file's text goes to DIR/<path>.txt.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import time
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")

import django
import pypdfium2

from docmill.adapters import extractor
from docmill.pipeline.errors import DocmillError
from docmill.pipeline.extract import detect_type
from docmill.pipeline.types import Page

_ENOUGH = 0.97
"""Share of a file's words above which it counts as read whole."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_PARTS = re.compile(r"(?:word/(?:document|footnotes|endnotes)|ppt/slides/slide\d+|xl/sharedStrings)\.xml$")
_PARAGRAPH_END = re.compile(r"</(?:\w+:)?(?:p|si|tc)>|<(?:\w+:)?(?:br|tab)\b[^>]*>")
_RUN = re.compile(r"<(?:\w+:)?t(?:\s[^>]*)?>([^<]*)</(?:\w+:)?t>|(\n)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, required=True, help="the folder, with the folders in it")
    parser.add_argument("--json", type=Path, help="where the rows go")
    parser.add_argument("--text", type=Path, help="the folder where each file's text goes")
    asked = parser.parse_args()
    django.setup()
    rows = []
    for path in sorted(path for path in asked.documents.rglob("*") if path.is_file()):
        name = path.relative_to(asked.documents).as_posix()
        text, row = swept(path, name)
        rows.append(row)
        print(line(row), flush=True)
        if asked.text:
            target = asked.text / f"{name}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    extractor().close()
    print_summary(rows)
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


def swept(path: Path, name: str) -> tuple[str, dict[str, Any]]:
    """A file's text, and its row."""
    began, pages, outcome = time.perf_counter(), list[Page](), "ok"
    try:
        extractor().start()
        forget_peaks()
        with extractor().open(path, detect_type(path, path.name)) as extraction:
            pages.extend(extraction)
        if not any(page.text for page in pages):
            outcome = max([page.warning for page in pages], default="") or "no_text"
    except DocmillError as error:
        outcome = error.code
    except Exception as error:
        outcome = f"internal_error ({error!r})"
    seconds = time.perf_counter() - began
    characters: Counter[str] = Counter()
    for page in pages:
        characters[page.source] += len(page.text)
    text = "\n\n".join(page.text for page in pages if page.text)
    return text, {
        "name": name,
        "outcome": outcome,
        "seconds": round(seconds, 3),
        "memory_mb": peak_megabytes(),
        "pages": len(pages),
        "characters": characters.total(),
        "characters_by_source": dict(characters),
        "recall": recall(text, own_words(path)) if outcome == "ok" else None,
    }


def descendants(process: int | str = "self") -> Iterator[int]:
    """The process ids below this process: the sandbox's."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from descendants(child)


def forget_peaks() -> None:
    """Have the kernel count the sandbox's peak of resident memory anew (proc(5), clear_refs)."""
    for process in descendants():
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5")


def peak_megabytes() -> float:
    """The sandbox's peak of resident memory; 0.0 where it has ended."""
    peaks = [0]
    for process in descendants():
        with suppress(OSError):
            peaks += map(int, re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text()))
    return round(max(peaks) / 1024, 1)


def own_words(path: Path) -> str | None:
    """The text that a plain tool or the XML itself shows; None for other formats."""
    try:
        match path.suffix.lower():
            case ".pdf":
                return pdf_words(path)
            case ".docx" | ".pptx" | ".xlsx" | ".docm" | ".pptm" | ".xlsm":
                return "\n".join(xml_words(path))
    except (OSError, ValueError, zipfile.BadZipFile, pypdfium2.PdfiumError, subprocess.SubprocessError):
        pass
    return None


def pdf_words(path: Path) -> str:
    if shutil.which("pdftotext"):
        run = subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True, timeout=60)
        return run.stdout.decode("utf-8", "replace")
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def xml_words(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in filter(_PARTS.match, archive.namelist()):
            xml = _PARAGRAPH_END.sub("\n", archive.read(name).decode("utf-8", "replace"))
            yield "".join(text or end for text, end in _RUN.findall(xml))


def recall(text: str, wanted: str | None) -> float | None:
    """The share of the words of `wanted` that `text` has, each as often; None where there are none."""
    words = counted(wanted or "")
    if not words:
        return None
    return round((words & counted(text)).total() / words.total(), 4)


def counted(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def line(row: dict[str, Any]) -> str:
    found = "" if row["recall"] is None else f"  recall {row['recall']:.3f}"
    sources = ", ".join(f"{count} {source}" for source, count in row["characters_by_source"].items())
    return (
        f"{row['outcome']:<18} {row['seconds']:7.2f} s {row['memory_mb']:7.1f} MB {row['pages']:4} pages"
        f"  {row['name']}  {sources}{found}"
    )


def print_summary(rows: list[dict[str, Any]]) -> None:
    """Outcomes, time and recall by kind of file."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kinds[Path(row["name"]).suffix.lower() or "none"].append(row)
    print(
        "\n| kind | files | ok | else | median s | longest s | most MB | words found by 0.97 of |\n" + "|---" * 8 + "|"
    )
    for kind, of_kind in [*sorted(kinds.items()), ("all", rows)]:
        if of_kind:
            print(summary_row(kind, of_kind))


def summary_row(kind: str, rows: list[dict[str, Any]]) -> str:
    outcomes = Counter(row["outcome"] for row in rows)
    ok = outcomes.pop("ok", 0)
    others = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    seconds = [row["seconds"] for row in rows]
    recalls = [row["recall"] for row in rows if row["recall"] is not None]
    found = f"{sum(share >= _ENOUGH for share in recalls)} of {len(recalls)}" if recalls else ""
    cells = [kind, len(rows), ok, others, f"{median(seconds):.2f}", f"{max(seconds):.2f}"]
    cells += [f"{max(row['memory_mb'] for row in rows):.0f}", found]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()

"""Jupyter notebooks, a page a cell: Markdown with its headings, code, and what the code printed (nbformat 3 and 4)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.extract.text.source_code import write_code
from docmill.pipeline.types import Page

_MAX_OUTPUT = 20_000
"""Characters of one output; what a cell prints beyond that is a log, not a text."""
_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")


def read(path: Path, content_type: str) -> Reading:
    """A page for each cell that holds text. Raises PermanentError `corrupt`."""
    try:
        notebook = json.loads(decode(path.read_bytes()))
        cells = _cells(notebook)
        metadata = notebook.get("metadata") or {}
        language = ((metadata.get("kernelspec") or {}).get("language")) or "python"
        title = metadata.get("title")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise PermanentError("corrupt", "The notebook cannot be read: save it again in Jupyter.") from error
    return Reading(title if isinstance(title, str) and title.strip() else None, None, _pages(cells, language))


def _cells(notebook: Any) -> list[dict[str, Any]]:
    cells = notebook.get("cells")
    if cells is None:
        cells = [cell for sheet in notebook.get("worksheets") or [] for cell in sheet.get("cells") or []]
    return [cell for cell in cells if isinstance(cell, dict)]


def _pages(cells: list[dict[str, Any]], language: str) -> Iterator[Page]:
    for number, cell in enumerate(cells, 1):
        writer = PageWriter()
        source = _joined(cell.get("source", cell.get("input")))
        match cell.get("cell_type"):
            case "markdown":
                _write_markdown(writer, source)
            case "heading":
                writer.add("heading", source, int(cell.get("level") or 1))
            case "code":
                write_code(writer, source, "text/x-python" if language == "python" else f"text/x-{language}")
                for output in cell.get("outputs") or []:
                    writer.add("paragraph", _output(output)[:_MAX_OUTPUT])
            case _:
                writer.add("paragraph", source)
        if len(writer):
            yield writer.page(number)


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")


def _output(output: Any) -> str:
    """What an output shows as text; pictures show none."""
    if not isinstance(output, dict):
        return ""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data") or output
    shown = data.get("text/plain", output.get("text"))
    if shown is None:
        shown = data.get("text/markdown")
    text = _ANSI.sub("", _joined(shown))
    return "" if text.startswith(("<Figure size", "<matplotlib.", "<IPython.core.display")) else text


def _write_markdown(writer: PageWriter, source: str) -> None:
    lines: list[str] = []
    is_fenced = False
    for line in source.split("\n"):
        found = None if is_fenced else _HEADING.match(line)
        if _FENCE.match(line):
            is_fenced = not is_fenced
        if found or (not line.strip() and not is_fenced):
            writer.add("paragraph", "\n".join(lines))
            lines.clear()
        if found:
            writer.add("heading", found[2].rstrip("# "), len(found[1]))
        elif line.strip() or is_fenced:
            lines.append(line)
    writer.add("paragraph", "\n".join(lines))

"""The formats that kreuzberg reads for us: RTF, EPUB, and the text of MSG and XLS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kreuzberg
from kreuzberg.exceptions import KreuzbergError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_EXCEL = "application/vnd.ms-excel"
_MIDNIGHT = " 00:00:00"


def read(path: Path, content_type: str) -> Reading:
    """One page a sheet or chapter, where the format has them; otherwise one page."""
    result = extract(path, content_type)
    metadata = dict(result.metadata)
    pages = list(_pages(result, content_type))
    title = clean(str(metadata.get("title") or metadata.get("subject") or "")).strip()
    return Reading(title or None, len(pages), iter(pages))


def extract(path: Path, content_type: str) -> Any:
    """kreuzberg's result for the file. Raises PermanentError: `corrupt`, `encrypted`."""
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        output_format="plain",
        include_document_structure=True,
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
    try:
        return kreuzberg.extract_bytes_sync(path.read_bytes(), content_type, config)
    except (KreuzbergError, OSError, ValueError) as error:
        encrypted = any(word in str(error).lower() for word in ("password", "encrypt"))
        raise PermanentError("encrypted" if encrypted else "corrupt") from error


def _pages(result: Any, content_type: str) -> Iterator[Page]:
    nodes = (result.document or {}).get("nodes", [])
    if not nodes:
        writer = PageWriter()
        for block in result.content.split("\n\n"):
            writer.add("paragraph", block)
        yield writer.page(1)
        return
    break_level = 2 if content_type == _EXCEL else 1 if content_type == "application/epub+zip" else 0
    writer, number = PageWriter(), 1
    for node in nodes:
        content = node["content"]
        starts_page = content["node_type"] == "heading" and content.get("level") == break_level
        if starts_page and len(writer):
            yield writer.page(number)
            writer, number = PageWriter(), number + 1
        _write(writer, content, _depth(nodes, node))
    yield writer.page(number)


def _depth(nodes: list[dict[str, Any]], node: dict[str, Any]) -> int:
    """How many lists the node lies in."""
    depth = 0
    parent = node.get("parent")
    for _ in range(12):
        if parent is None:
            break
        above = nodes[parent]
        depth += above["content"]["node_type"] == "list"
        parent = above.get("parent")
    return depth


def _write(writer: PageWriter, content: dict[str, Any], depth: int) -> None:
    text = content.get("text") or ""
    match content["node_type"]:
        case "heading":
            writer.add("heading", text, min(max(int(content.get("level", 1)), 1), 6))
        case "list_item":
            writer.add("list_item", f"• {text}" if text.strip() else "", max(depth, 1))
        case "code":
            writer.add("code", text)
        case "table":
            _write_table(writer, content["grid"])
        case "metadata_block":
            for name, value in content["entries"]:
                writer.add("paragraph", f"{name}: {value}")
        case _:
            for paragraph in clean(text).split("\n\n"):
                writer.add("paragraph", paragraph)


def _write_table(writer: PageWriter, grid: dict[str, Any]) -> None:
    rows: dict[int, dict[int, str]] = {}
    header_rows = set()
    for cell in grid["cells"]:
        value = " ".join(str(cell["content"]).split()).removesuffix(_MIDNIGHT)
        rows.setdefault(cell["row"], {})[cell["col"]] = value
        if cell.get("is_header"):
            header_rows.add(cell["row"])
    for row, cells in sorted(rows.items()):
        values = [cells.get(column, "") for column in range(grid["cols"])]
        if any(values):
            is_header = row in header_rows and len(rows) > 1
            writer.add_row(values, is_header=is_header)

"""The cells of XLSX sheets: values as shown by their number formats; a formula without a value says itself."""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from docmill.pipeline.extract.office.number_formats import BUILT_IN, general, shown, shown_text
from docmill.pipeline.extract.office.package import Package

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d+)$")
_MAX_ROWS = 1_048_576
_MAX_SHARED = 5_000_000
_MIDNIGHT = "T00:00:00"


def rich_text(element: Any) -> str:
    """A shared or inline string, or a comment's text, without the readings above its words."""
    if element is None:
        return ""
    parts = []
    for child in element:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [text.text or "" for text in child.iterchildren("{*}t")]
    return "".join(parts)


class CellReader:
    """Reads cells of one workbook: `root` is that of its part `main`."""

    def __init__(self, package: Package, main: str, root: Any) -> None:
        properties = root.find("{*}workbookPr")
        self._date_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._strings = list(_shared_strings(package, main))
        self._codes = _format_codes(package, main)

    def text(self, cell: Any) -> str:
        """The cell as it is shown, in one line."""
        value, formula, inline = None, None, None
        for child in cell:
            name = child.tag.rpartition("}")[2]
            if name == "v":
                value = child.text or ""
            elif name == "f":
                formula = child.text
            elif name == "is":
                inline = child
        if value is None:
            return f"={formula}" if formula else rich_text(inline)
        return self._shown(value, cell.get("t", "n"), cell.get("s", "0"))

    def _shown(self, value: str, kind: str, style: str) -> str:
        code = self._codes.get(style, "General")
        if kind == "s":
            place = int(value) if value.strip().isdigit() else -1
            return shown_text(self._strings[place], code) if 0 <= place < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if value.strip() in ("1", "true") else "FALSE"
        if kind in ("str", "e"):
            return value
        if kind == "d":
            return value.removesuffix("Z").removesuffix(_MIDNIGHT).replace("T", " ")
        try:
            number = float(value)
        except ValueError:
            return value
        return general(number) if code == "General" else shown(number, code, date_1904=self._date_1904)


def sheet_rows(package: Package, part: str, cells: CellReader) -> tuple[list[list[str]], Any]:
    """The sheet's rows that say something, without columns that say nothing in any row; and the element with headers
    and footers for printing."""
    rows: list[dict[int, str]] = []
    margins = None
    stream = package.open(part)
    if stream is None:
        return [], None
    with stream:
        for _, element in etree.iterparse(
            stream, tag=("{*}row", "{*}headerFooter"), huge_tree=True, resolve_entities=False, no_network=True
        ):
            if element.tag.endswith("}headerFooter"):
                margins = element
                continue
            row = dict(_cells(element, cells))
            if row and len(rows) < _MAX_ROWS:
                rows.append(row)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    columns = sorted({column for row in rows for column in row})
    return [[row.get(column, "") for column in columns] for row in rows], margins


def _cells(row: Any, cells: CellReader) -> Iterator[tuple[int, str]]:
    column = 0
    for cell in row.iterchildren("{*}c"):
        found = _REFERENCE.match(cell.get("r", ""))
        column = _column(found[1]) if found else column + 1
        text = " ".join(cells.text(cell).split())
        if text:
            yield column, text


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _shared_strings(package: Package, main: str) -> Iterator[str]:
    for part in package.related(main, "sharedStrings")[:1]:
        stream = package.open(part)
        if stream is None:
            return
        with stream:
            found = etree.iterparse(stream, tag="{*}si", huge_tree=True, resolve_entities=False, no_network=True)
            for _, (_, item) in zip(range(_MAX_SHARED), found, strict=False):
                yield rich_text(item)
                item.clear()
                while item.getprevious() is not None:
                    del item.getparent()[0]


def _format_codes(package: Package, main: str) -> dict[str, str]:
    """Number format codes by the style numbers that cells name."""
    root = next((package.xml(part) for part in package.related(main, "styles")), None)
    if root is None:
        return {}
    codes = {str(number): code for number, code in BUILT_IN.items()}
    codes |= {each.get("numFmtId", ""): each.get("formatCode", "") for each in root.iterfind("{*}numFmts/{*}numFmt")}
    formats = root.iterfind("{*}cellXfs/{*}xf")
    return {str(place): codes.get(each.get("numFmtId", "0")) or "General" for place, each in enumerate(formats)}

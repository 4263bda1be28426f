"""The text of pictures in XLSX, by the sheet they belong to: a package's parts point to each other by relationships
(ECMA-376 part 2), the workbook to its sheets, a sheet to its drawing, and that to its pictures."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from docmill.pipeline.extract.ocr.images import picture_paragraphs

_RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BROKEN = (zipfile.BadZipFile, etree.LxmlError, KeyError, ValueError, OSError, NotImplementedError, RuntimeError)
_MAX_PICTURE = 64 << 20
_WORKBOOK = "xl/workbook.xml"


def picture_texts(path: Path) -> dict[str, list[str]]:
    """Sheets' names in order, each with the paragraphs of its pictures. A picture that returns is read at its first
    place. Sheets without such text are left out; a package that cannot be followed has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not any("/media/" in name for name in archive.namelist()):
                return {}
            targets = {identity: part for identity, _, part in _relationships(archive, _WORKBOOK)}
            seen: set[str] = set()
            texts = {
                sheet.get("name", ""): list(_paragraphs(archive, targets.get(sheet.get(_RELATIONSHIP), ""), seen))
                for sheet in _parsed(archive, _WORKBOOK).iter("{*}sheet")
            }
            return {name: paragraphs for name, paragraphs in texts.items() if paragraphs}
    except _BROKEN:
        return {}


def _paragraphs(archive: zipfile.ZipFile, part: str, seen: set[str]) -> Iterator[str]:
    for _, kind, target in _relationships(archive, part):
        if target in seen or target not in archive.NameToInfo:
            continue
        if kind == "image":
            seen.add(target)
            if archive.getinfo(target).file_size <= _MAX_PICTURE:
                yield from picture_paragraphs(archive.read(target))
        elif kind == "drawing":
            seen.add(target)
            yield from _paragraphs(archive, target, seen)


def _relationships(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str, str]]:
    """Id, kind, and the part's name at the other end, of the relationships inside of the package."""
    folder, name = posixpath.split(part)
    listing = f"{folder}/_rels/{name}.rels"
    if listing not in archive.NameToInfo:
        return
    for element in _parsed(archive, listing).iter("{*}Relationship"):
        if element.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/")
            yield element.get("Id", ""), element.get("Type", "").rsplit("/", 1)[-1], target


def _parsed(archive: zipfile.ZipFile, name: str) -> etree._Element:
    return etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))

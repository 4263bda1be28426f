"""Zipped packages of Office (ECMA-376 part 2): parts and the relationships between them. What a relationship points to
and is not there is skipped, as Office does; Strict files read as Transitional ones."""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from lxml import etree

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.flat_word import as_package
from docmill.pipeline.text import clean

BROKEN = (
    etree.LxmlError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, NotImplementedError,
    AttributeError, RuntimeError, IndexError, EOFError, TypeError,
)  # fmt: skip
"""What reading a package that no program wrote ends with."""

_MAX_UNPACKED = 1 << 30  # bytes
_MAX_MEDIA = 64 << 20  # bytes
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
R = f"{{{_RELATIONSHIPS}}}"
"""The namespace of attributes that name a relationship."""


def check_unpacked_size(archive: zipfile.ZipFile) -> None:
    """Raise PermanentError `too_much_text` when the parts together say that they are larger than is accepted: a bomb is
    refused before any part is unpacked."""
    if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
        raise PermanentError("too_much_text", "The document unpacks to more than 1 GB; make it smaller.")


@dataclass(frozen=True, slots=True)
class Relationship:
    """`kind` is the last word of the relationship's type (image, header, chart …); `target` the part at its end."""

    identity: str
    kind: str
    target: str


class Package:
    """The parts of a DOCX, PPTX or XLSX by their names. Raises PermanentError `corrupt` or `too_much_text`."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                is_flat = file.read(200).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
            self._archive = zipfile.ZipFile(as_package(path) if is_flat else path)
            check_unpacked_size(self._archive)
            self._entries = {
                entry.filename.replace("\\", "/").lstrip("/").lower(): entry
                for entry in reversed(self._archive.infolist())
            }
            self._relationships: dict[str, Mapping[str, Relationship]] = {}
        except BROKEN as error:
            raise PermanentError("corrupt") from error

    def main_part(self, usual: str) -> str:
        """The name of the document's main part; `usual` is what it is called when nothing says otherwise."""
        for relationship in self.relationships("").values():
            if relationship.kind == "officeDocument":
                return relationship.target
        return usual

    @property
    def title(self) -> str | None:
        """The title that the author gave."""
        names = [each.target for each in self.relationships("").values() if each.kind == "core-properties"]
        for name in [*names, "docProps/core.xml"]:
            root = self.xml(name)
            title = None if root is None else root.findtext("{http://purl.org/dc/elements/1.1/}title")
            if title is not None:
                return clean(" ".join(title.split())) or None
        return None

    def relationships(self, part: str) -> Mapping[str, Relationship]:
        """The part's relationships to parts that are there, by their ids; "" is the package itself."""
        if part not in self._relationships:
            self._relationships[part] = {each.identity: each for each in self._read_relationships(part)}
        return self._relationships[part]

    def related(self, part: str, kind: str) -> list[str]:
        """The names of the parts that this one has a relationship of that kind to."""
        return [each.target for each in self.relationships(part).values() if each.kind == kind]

    def target(self, part: str, identity: str | None) -> str | None:
        """The name of the part at the end of one relationship."""
        relationship = self.relationships(part).get(identity or "")
        return None if relationship is None else relationship.target

    def data(self, part: str | None, at_most: int = _MAX_UNPACKED) -> bytes | None:
        """A part's bytes; None where it is missing, damaged or larger than `at_most` bytes."""
        entry = self._entries.get((part or "").lower())
        if entry is None or entry.file_size > at_most:
            return None
        try:
            return self._archive.read(entry)
        except (*BROKEN,):
            return None

    def media(self, part: str | None) -> bytes | None:
        """A picture's bytes, unless it is missing or absurdly large."""
        return self.data(part, _MAX_MEDIA)

    def open(self, part: str) -> IO[bytes] | None:
        """A part to be read as a stream; None where it is missing."""
        entry = self._entries.get(part.lower())
        return None if entry is None else self._archive.open(entry)

    def xml(self, part: str | None) -> Any:
        """A part's root element; None where it is missing or cannot be read."""
        data = self.data(part)
        if not data:
            return None
        try:
            return parsed(data)
        except etree.LxmlError:
            return None

    def _read_relationships(self, part: str) -> Iterator[Relationship]:
        folder, name = posixpath.split(part)
        listing = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        for element in () if listing is None else listing.iter("{*}Relationship"):
            target = unquote(element.get("Target", "")).replace("\\", "/")
            if element.get("TargetMode") == "External" or not target:
                continue
            place = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            if place.lower() in self._entries:
                kind = element.get("Type", "").rsplit("/", 1)[-1]
                yield Relationship(element.get("Id", ""), _KINDS.get(kind, kind), place)


_KINDS = {"metadata/core-properties": "core-properties", "coreProperties": "core-properties"}


def parsed(data: bytes) -> Any:
    """The root element of a part, its namespaces those of Transitional OOXML. Raises lxml.etree.LxmlError."""
    if b"purl.oclc.org/ooxml/" in data:
        data = transitional(data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    return etree.fromstring(data, parser)


def transitional(data: bytes) -> bytes:
    """Strict namespaces (ISO/IEC 29500-1) put as those of Transitional files, for which the readers are written."""
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data)

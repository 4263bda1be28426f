"""EPUB: the chapters in the order of the book's spine, each read as the page of XHTML that it is (EPUB 3.3)."""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree
from lxml.etree import LxmlError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.package import check_unpacked_size
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.html_page import write_html
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_OBFUSCATIONS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""What is done to fonts, by the algorithms' names; text stays readable."""
_BROKEN = (zipfile.BadZipFile, zlib.error, LxmlError, OSError, ValueError, NotImplementedError, RuntimeError, EOFError)


def read(path: Path, content_type: str) -> Reading:
    """A page for each part of the spine that holds text.

    Raises PermanentError: `corrupt`, `encrypted` (protected against copying), `too_much_text`, `too_complex`.
    """
    try:
        archive = zipfile.ZipFile(path)
        check_unpacked_size(archive)
        names = {name.lower(): name for name in reversed(archive.namelist())}
        folder, package = _package(archive, names)
        chapters = _chapters(package, folder, names)
        _refuse_encrypted(archive, names, chapters)
    except (*_BROKEN, KeyError) as error:
        raise PermanentError("corrupt") from error
    title = " ".join((package.findtext(".//{*}metadata//{*}title") or "").split())
    return Reading(clean(title) or None, None, _pages(archive, chapters))


def _xml(data: bytes) -> Any:
    """The root element. Raises ValueError where there is none."""
    parser = etree.XMLParser(recover=True, no_network=True, load_dtd=False, resolve_entities=False)
    root = etree.fromstring(data, parser)
    if root is None:
        raise ValueError("no XML")
    return root


def _package(archive: zipfile.ZipFile, names: dict[str, str]) -> tuple[str, Any]:
    """The folder and the root element of the package document, which names the book's parts. Raises KeyError."""
    places = []
    if _CONTAINER.lower() in names:
        container = _xml(archive.read(names[_CONTAINER.lower()]))
        places = [root.get("full-path") or "" for root in container.iter("{*}rootfile")]
    places += [name for name in names.values() if name.lower().endswith(".opf")]
    place = next((names[place.lower()] for place in places if place.lower() in names), "")
    return posixpath.dirname(place), _xml(archive.read(place))


def _chapters(package: Any, folder: str, names: dict[str, str]) -> list[str]:
    """The names of the spine's parts in order, of those that are there, each once."""
    manifest = {item.get("id"): item for item in package.iter("{*}item")}
    chapters: dict[str, None] = {}
    for reference in package.iter("{*}itemref"):
        item = manifest.get(reference.get("idref"))
        if item is not None and "html" in (item.get("media-type") or "html"):
            place = posixpath.normpath(posixpath.join(folder, unquote((item.get("href") or "").split("#")[0])))
            if place.lower() in names:
                chapters.setdefault(names[place.lower()])
    return list(chapters)


def _refuse_encrypted(archive: zipfile.ZipFile, names: dict[str, str], chapters: list[str]) -> None:
    if _ENCRYPTION.lower() not in names:
        return
    for data in _xml(archive.read(names[_ENCRYPTION.lower()])).iter("{*}EncryptedData"):
        methods = (method.get("Algorithm") or "" for method in data.iter("{*}EncryptionMethod"))
        places = {unquote(reference.get("URI") or "") for reference in data.iter("{*}CipherReference")}
        if places & set(chapters) and not any(method in _OBFUSCATIONS for method in methods):
            raise PermanentError("encrypted", "The book is protected against copying; upload one that is not.")


def _pages(archive: zipfile.ZipFile, chapters: list[str]) -> Iterator[Page]:
    number = 0
    try:
        for chapter in chapters:
            writer = PageWriter()
            write_html(writer, archive.read(chapter))
            if len(writer):
                number += 1
                yield writer.page(number)
    except _BROKEN as error:
        raise PermanentError("corrupt") from error

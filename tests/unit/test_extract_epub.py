"""Books in EPUB, zipped here."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import read_document
from docmill.pipeline.extract.reading import Reading
from tests.unit.documents import blocks_of

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def chapter(body: str, head: str = "<title/>") -> str:
    return (
        f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{body}</body></html>'
    )


def book(tmp_path: Path, chapters: dict[str, str | bytes], spine: list[str] | None = None, **more: str) -> Reading:
    names = list(chapters)
    items = "".join(
        f'<item id="i{number}" href="{name}" media-type="application/xhtml+xml"/>' for number, name in enumerate(names)
    )
    order = "".join(f'<itemref idref="i{names.index(name)}"/>' for name in spine or names)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>Ships &amp; \n Harbours</dc:title></metadata><manifest>{items}</manifest><spine>{order}"
        '<itemref idref="missing"/></spine></package>'
    )
    path = tmp_path / "a.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", package)
        for name, data in chapters.items():
            archive.writestr(f"OEBPS/{name.replace('%20', ' ')}", data)
        for name, text in more.items():
            archive.writestr(name, text)
    return read_document(path, "application/epub+zip")


def test_chapters_come_in_the_order_of_the_spine_under_the_authors_title(tmp_path: Path) -> None:
    chapters = {name: chapter(f"<p>{name}</p>") for name in ("text/z.xhtml", "a%20b.xhtml", "m.xhtml")}
    reading = book(tmp_path, dict(chapters), ["m.xhtml", "text/z.xhtml", "a%20b.xhtml", "m.xhtml"])
    assert reading.title == "Ships & Harbours"
    assert [(page.number, page.text) for page in reading.pages] == [
        (1, "m.xhtml"),
        (2, "text/z.xhtml"),
        (3, "a%20b.xhtml"),
    ]


def test_all_text_of_a_chapter(tmp_path: Path) -> None:
    body = (
        "bare<div>in a div<div>deeper</div></div><dl><dt>Keel</dt><dd>the spine</dd></dl>"
        '<figure><img src="x"/><figcaption aria-hidden="true">A caption</figcaption></figure><a id="x"/><p>after</p>'
        "<p>one&nbsp;two &eacute;&hellip; &lt;tag&gt; &amp;amp;</p><script/><style/><p>last</p>"
    )
    (page,) = book(tmp_path, {"c.xhtml": chapter(body, '<title/><link rel="stylesheet" href="no.css"/>')}).pages
    assert [text for _, text in blocks_of(page)] == [
        "bare", "in a div", "deeper", "Keel", "the spine", "A caption", "after", "one two é… <tag> &amp;", "last",
    ]  # fmt: skip


def test_a_chapter_that_is_no_xml_and_one_in_another_encoding(tmp_path: Path) -> None:
    broken = chapter("<p>one<br>two<p>three & four")
    utf16 = chapter("<p>Größe</p>").replace("?>", ' encoding="UTF-16"?>').encode("utf-16")
    latin = chapter("<p>Größe</p>").replace('"1.0"', '"1.0" encoding="iso-8859-1"').encode("latin-1")
    pages = book(tmp_path, {"a.xhtml": broken, "b.xhtml": utf16, "c.xhtml": latin}).pages
    assert [page.text for page in pages] == ["one two\n\nthree & four", "Größe", "Größe"]


def encryption(algorithm: str, place: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData'
        f' xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{algorithm}"/><CipherData>'
        f'<CipherReference URI="{place}"/></CipherData></EncryptedData></encryption>'
    )


def test_a_protected_book_is_encrypted_and_one_with_obfuscated_fonts_is_not(tmp_path: Path) -> None:
    chapters: dict[str, str | bytes] = {"c.xhtml": chapter("<p>words</p>")}
    place: dict[str, Any] = {
        "META-INF/encryption.xml": encryption("http://www.idpf.org/2008/embedding", "OEBPS/font.otf")
    }
    assert [page.text for page in book(tmp_path, chapters, **place).pages] == ["words"]
    place = {"META-INF/encryption.xml": encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/c.xhtml")}
    with pytest.raises(PermanentError) as caught:
        book(tmp_path, chapters, **place)
    assert caught.value.code == "encrypted"


@pytest.mark.parametrize(("body", "code"), [("<div>" * 50_000, "too_complex"), ("<ul><li>" * 20_000, "too_complex")])
def test_a_chapter_of_elements_within_each_other_is_too_complex(tmp_path: Path, body: str, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        list(book(tmp_path, {"c.xhtml": chapter(body)}).pages)
    assert caught.value.code == code


def test_a_book_without_a_package_is_corrupt(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
    with pytest.raises(PermanentError) as caught:
        read_document(tmp_path / "a.epub", "application/epub+zip")
    assert caught.value.code == "corrupt"

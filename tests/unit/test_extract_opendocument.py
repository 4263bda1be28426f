"""OpenDocument files as LibreOffice writes them: texts, sheets and slides."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import read_document
from tests.unit.documents import blocks_of, pages_of, printed

OPEN = "application/vnd.oasis.opendocument."
NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"),
        ("fo", "xsl-fo-compatible"), ("presentation", "presentation"),
    )
) + ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip


def written(path: Path, kind: str, body: str, styles: str = "", master: str = "", **files: bytes) -> Path:
    """An OpenDocument file of this body; `files` are its pictures by name."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", OPEN + kind)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
        archive.writestr("styles.xml", f"<office:document-styles {NAMES}>{master}</office:document-styles>")
        archive.writestr(
            "meta.xml", f"<office:document-meta {NAMES}><dc:title>A title</dc:title></office:document-meta>"
        )
        for name, data in files.items():
            archive.writestr(f"Pictures/{name}.png", data)
    return path


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_a_text_reads_as_its_last_version(tmp_path: Path) -> None:
    body = """<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>
    <text:h text:outline-level="2">The <text:span>fen</text:span></text:h>
    <text:p>Two<text:s text:c="2"/>spaces,
      one line<office:annotation><text:p>a comment</text:p></office:annotation>.<text:note
      text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>So it
      is.</text:p></text:note-body></text:note></text:p>
    <text:p>Before<text:soft-page-break/>after the page's end.</text:p>
    <text:p text:style-name="New">On a page of its own.</text:p>"""
    styles = '<style:style style:name="New"><style:paragraph-properties fo:break-before="page"/></style:style>'
    path = written(tmp_path / "a.odt", "text", body, styles)
    pages = pages_of(path)
    assert read_document(path, OPEN + "text").title == "A title"
    assert [blocks_of(page) for page in pages] == [
        [
            ("heading", "The fen"), ("paragraph", "Two  spaces, one line.[1]"), ("paragraph", "Before"),
            ("paragraph", "[1] So it is."),
        ],
        [("paragraph", "after the page's end.")],
        [("paragraph", "On a page of its own.")],
    ]  # fmt: skip


def test_lists_have_their_numbers_and_depth(tmp_path: Path) -> None:
    styles = """<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"
      style:num-suffix="."/><text:list-level-style-bullet text:level="2"/></text:list-style>"""
    body = """<text:list text:style-name="L"><text:list-item><text:p>one</text:p><text:list><text:list-item>
      <text:p>inner</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p>
      </text:list-item></text:list><text:list text:style-name="L" text:continue-numbering="true"><text:list-item>
      <text:p>three</text:p></text:list-item></text:list>"""
    (page,) = pages_of(written(tmp_path / "a.odt", "text", body, styles))
    assert [(page.text[b.start : b.end], b.level) for b in page.blocks] == [
        ("1. one", 1), ("• inner", 2), ("2. two", 1), ("3. three", 1),
    ]  # fmt: skip


def test_tables_text_boxes_headers_and_footers(tmp_path: Path) -> None:
    body = """<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Name</text:p>
      </table:table-cell><table:table-cell><text:p>Tons</text:p></table:table-cell></table:table-row>
      </table:table-header-rows><table:table-row><table:table-cell><text:p>Auk</text:p><text:p>(old)</text:p>
      </table:table-cell><table:table-cell><table:table><table:table-row><table:table-cell><text:p>7</text:p>
      </table:table-cell></table:table-row></table:table></table:table-cell></table:table-row></table:table>
      <text:p>Text<draw:frame><draw:text-box><text:p>in a box</text:p></draw:text-box></draw:frame>.</text:p>"""
    master = """<office:master-styles><style:master-page><style:header><text:p>Harbour <text:page-number>3
      </text:page-number></text:p></style:header><style:footer><text:p>Footer</text:p></style:footer>
      </style:master-page></office:master-styles>"""
    (page,) = pages_of(written(tmp_path / "a.odt", "text", body, master=master))
    assert blocks_of(page) == [
        ("paragraph", "Harbour"), ("table_header", "Name | Tons"), ("table_row", "Auk (old) | 7"),
        ("paragraph", "Text."), ("paragraph", "in a box"), ("paragraph", "Footer"),
    ]  # fmt: skip


def test_a_sheet_is_a_page_of_rows(tmp_path: Path) -> None:
    body = """<table:table table:name="Budget">
      <table:table-row><table:table-cell><text:p>Item</text:p></table:table-cell><table:table-cell><text:p>Paid</text:p>
      </table:table-cell></table:table-row>
      <table:table-row table:number-rows-repeated="2"><table:table-cell><text:p>Rope</text:p></table:table-cell>
      <table:table-cell office:value-type="date" office:date-value="2024-05-01T00:00:00"><text:p>01/05/24</text:p>
      </table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>
      <table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>
      </table:table><table:table table:name="Sums"><table:table-row><table:table-cell
      table:number-columns-repeated="2" office:value-type="float" office:value="7"/></table:table-row></table:table>"""
    budget, sums = pages_of(written(tmp_path / "a.ods", "spreadsheet", body))
    assert blocks_of(budget) == [
        ("heading", "Budget"), ("table_header", "Item | Paid"), ("table_row", "Rope | 2024-05-01"),
        ("table_row", "Rope | 2024-05-01"),
    ]  # fmt: skip
    assert blocks_of(sums) == [("heading", "Sums"), ("table_row", "7 | 7")]


def test_comments_of_sheets_and_slides_are_marked(tmp_path: Path) -> None:
    comment = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Check this</text:p></office:annotation>"
    row = f"<table:table-row><table:table-cell>{comment}<text:p>Rope</text:p></table:table-cell></table:table-row>"
    (sheet,) = pages_of(
        written(tmp_path / "a.ods", "spreadsheet", f'<table:table table:name="Sums">{row}</table:table>')
    )
    (slide,) = pages_of(written(tmp_path / "a.odp", "presentation", f"<draw:page>{comment}</draw:page>"))
    assert [text for _, text in blocks_of(sheet)] == ["Sums", "Rope", "Comment by Ann: Check this"]
    assert slide.text == "Comment by Ann: Check this"


def test_slides_are_pages_title_first(tmp_path: Path) -> None:
    body = """<draw:page><draw:frame presentation:class="outline"><draw:text-box><text:list><text:list-item>
      <text:p>A point</text:p></text:list-item></text:list></draw:text-box></draw:frame>
      <draw:frame presentation:class="title"><draw:text-box><text:p>The title</text:p></draw:text-box></draw:frame>
      <draw:frame presentation:class="page-number"><draw:text-box><text:p>1</text:p></draw:text-box></draw:frame>
      <presentation:notes><draw:frame><draw:text-box><text:p>Say hello.</text:p></draw:text-box></draw:frame>
      </presentation:notes></draw:page>
      <draw:page><draw:g><draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:g></draw:page>"""
    first, second = pages_of(written(tmp_path / "a.odp", "presentation", body))
    assert blocks_of(first) == [("heading", "The title"), ("list_item", "• A point"), ("paragraph", "Say hello.")]
    assert blocks_of(second) == [("paragraph", "In a shape")]


def test_a_picture_is_read_where_it_stands_and_once(tmp_path: Path) -> None:
    picture = '<draw:frame><draw:image xlink:href="Pictures/slip.png"/></draw:frame>'
    body = f"<text:p>Above.</text:p><text:p>{picture}</text:p><text:p>Below.{picture}</text:p>"
    slip = png(printed(["The lighthouse keeper counts the ships"]))
    (page,) = pages_of(written(tmp_path / "a.odt", "text", body, slip=slip))
    assert [text for _, text in blocks_of(page)] == ["Above.", "The lighthouse keeper counts the ships", "Below."]


def test_a_file_with_a_password_is_encrypted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.odt", "text", "")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>")
    with pytest.raises(PermanentError) as caught:
        pages_of(path)
    assert caught.value.code == "encrypted"

"""A DOCX reads as its reader sees it in Word."""

import io
import zipfile
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from docmill.pipeline.errors import PermanentError
from tests.unit.documents import blocks_of, pages_of, text_of, zip_bytes

W = nsdecls("w")


def saved(document: Document, tmp_path: Path) -> Path:
    path = tmp_path / "a.docx"
    document.save(str(path))
    return path


def appended(document: Document, xml: str) -> None:
    document.element.body.insert_element_before(parse_xml(xml), "w:sectPr")


def test_headings_lists_and_paragraphs(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = "The title"
    document.add_heading("Harbour rules", 0)
    document.add_heading("Mooring", 2)
    document.add_paragraph("Boats moor at the east quay.")
    for text in ("ring the bell", "wait"):
        document.add_paragraph(text, style="List Number")
    document.add_paragraph("a rope", style="List Bullet")
    (page,) = pages_of(saved(document, tmp_path))
    assert blocks_of(page) == [
        ("heading", "Harbour rules"),
        ("heading", "Mooring"),
        ("paragraph", "Boats moor at the east quay."),
        ("list_item", "1. ring the bell"),
        ("list_item", "2. wait"),
        ("list_item", "• a rope"),
    ]
    assert [block.level for block in page.blocks if block.kind == "heading"] == [1, 2]


def test_tables_with_merged_cells_and_tables_in_them(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(3, 3)
    for row, cells in zip(
        table.rows, (("Ship", "Flag", "Tons"), ("Gannet", "red", "120"), ("Auk", "", "")), strict=True
    ):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    table.cell(2, 1).merge(table.cell(2, 2)).text = "laid up"
    inner = table.cell(1, 1).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "port", "starboard"
    (page,) = pages_of(saved(document, tmp_path))
    assert [text for _, text in blocks_of(page)] == [
        "Ship | Flag | Tons",
        "Gannet | red port, starboard | 120",
        "Auk | laid up",
    ]


def test_tracked_changes_read_as_accepted_and_hidden_text_is_left_out(tmp_path: Path) -> None:
    document = docx.Document()
    appended(
        document,
        f"""<w:p {W}><w:r><w:t xml:space="preserve">The fee is </w:t></w:r>
        <w:del w:id="1" w:author="a"><w:r><w:delText>ten</w:delText></w:r></w:del>
        <w:ins w:id="2" w:author="a"><w:r><w:t>twelve</w:t></w:r></w:ins>
        <w:r><w:rPr><w:vanish/></w:rPr><w:t> secretly</w:t></w:r>
        <w:r><w:t xml:space="preserve"> pounds.</w:t></w:r></w:p>""",
    )
    assert text_of(saved(document, tmp_path)) == "The fee is twelve pounds."


def test_headers_and_footers_once_without_page_numbers(tmp_path: Path) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Harbour Office"
    footer = document.sections[0].footer.paragraphs[0]
    footer.text = "Box 12, page "
    for kind in ("begin", "instr", "separate", "result", "end"):
        run = footer.add_run("7" if kind == "result" else "")
        if kind == "instr":
            run._r.append(parse_xml(f"<w:instrText {W}> PAGE </w:instrText>"))
        elif kind != "result":
            run._r.append(parse_xml(f'<w:fldChar {W} w:fldCharType="{kind}"/>'))
    document.add_paragraph("Body one")
    document.add_page_break()  # type: ignore[no-untyped-call]
    document.add_paragraph("Body two")
    assert [page.text for page in pages_of(saved(document, tmp_path))] == [
        "Harbour Office\n\nBody one",
        "Body two\n\nBox 12, page",
    ]


def test_pages_turn_where_word_turned_them(tmp_path: Path) -> None:
    document = docx.Document()
    appended(
        document,
        f"""<w:p {W}><w:r><w:t>Before,</w:t></w:r><w:r><w:lastRenderedPageBreak/><w:t>after.</w:t></w:r></w:p>""",
    )
    assert [(page.number, page.text) for page in pages_of(saved(document, tmp_path))] == [(1, "Before,"), (2, "after.")]


def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    box = f"<w:txbxContent {W}><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    document = docx.Document()
    appended(
        document,
        f"""<w:p {W} xmlns:mc="{mc}"><w:r><w:t>Beside</w:t></w:r><w:r><mc:AlternateContent>
        <mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>
        <mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>""",
    )
    assert text_of(saved(document, tmp_path)) == "Beside\n\nIn a box"


def test_lists_count_on_by_level(tmp_path: Path) -> None:
    document = docx.Document()
    numbering = document.part.numbering_part.element
    levels = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for depth, (kind, text) in enumerate((("decimal", "%1."), ("lowerLetter", "%1.%2)"), ("upperRoman", "%3")))
    )
    numbering.insert(0, parse_xml(f'<w:abstractNum {W} w:abstractNumId="77">{levels}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {W} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    for depth, text in ((0, "one"), (1, "sub"), (1, "sub"), (2, "deep"), (0, "two"), (1, "sub")):
        appended(
            document,
            f"""<w:p {W}><w:pPr><w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="77"/></w:numPr></w:pPr>
            <w:r><w:t>{text}</w:t></w:r></w:p>""",
        )
    assert text_of(saved(document, tmp_path)).split("\n") == [
        "1. one", "1.a) sub", "1.b) sub", "I deep", "2. two", "2.a) sub",
    ]  # fmt: skip


def test_a_footnote_follows_on_its_page(tmp_path: Path) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    document = docx.Document()
    xml = (
        f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>As of May.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    )
    part = Part(PackURI("/word/footnotes.xml"), "application/xml", xml.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    appended(document, f'<w:p {W}><w:r><w:t>Fees</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>')
    assert text_of(saved(document, tmp_path)) == "Fees[1]\n\n[1] As of May."


def test_a_document_with_macros_reads_like_any_other(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Boats moor at the east quay.")
    with zipfile.ZipFile(saved(document, tmp_path)) as plain, zipfile.ZipFile(tmp_path / "a.docm", "w") as macros:
        for name in plain.namelist():
            data = plain.read(name)
            main = b"openxmlformats-officedocument.wordprocessingml.document.main"
            macros.writestr(name, data.replace(main, b"ms-word.document.macroEnabled.main"))
    assert text_of(tmp_path / "a.docm") == "Boats moor at the east quay."


@pytest.mark.parametrize("damage", ["cut", "no xml", "bomb of nesting"])
def test_a_broken_docx_is_corrupt(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.docx"
    stream = io.BytesIO()
    docx.Document().save(stream)
    contents = {
        "cut": stream.getvalue()[:-400],
        "no xml": zip_bytes(**{"[Content_Types].xml": "no xml", "word/document.xml": "no xml"}),
        "bomb of nesting": zip_bytes(**{"[Content_Types].xml": "<a>" * 5000, "word/document.xml": ""}),
    }
    path.write_bytes(contents[damage])
    with pytest.raises(PermanentError) as caught:
        text_of(path)
    assert caught.value.code == "corrupt"

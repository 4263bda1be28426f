"""Charts, diagrams, equations, text boxes, comments and what other programs write into Office files come out as a
person sees them."""

from pathlib import Path

import pytest

from tests.unit.documents import blocks_of, pages_of, text_of
from tests.unit.office_package import (
    CHART,
    CHART_ROWS,
    DIAGRAM,
    DIAGRAM_ITEMS,
    NAMES,
    deck,
    drawing,
    package,
    paragraph,
    shape,
    text_document,
)


def run(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def test_a_chart_is_its_titles_and_a_small_table(tmp_path: Path) -> None:
    graphic = drawing('<c:chart r:id="rId5"/>')
    path = text_document(tmp_path / "a.docx", graphic, ("rId5", "chart", "charts/c1.xml"), charts__c1_xml=CHART)
    (page,) = pages_of(path)
    assert [text for _, text in blocks_of(page)] == ["Catch by month", "Share of the catch", *CHART_ROWS]
    frame = (
        "<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id='rId5'/></a:graphicData></a:graphic></p:graphicFrame>"
    )
    chart = ("rId5", "chart", "../charts/c1.xml")
    (page,) = pages_of(deck(tmp_path / "a.pptx", frame, chart, parts={"ppt/charts/c1.xml": CHART}))
    assert [text for _, text in blocks_of(page)] == ["Catch by month", "Share of the catch", *CHART_ROWS]


def test_a_diagram_is_a_list_in_the_order_of_its_connections(tmp_path: Path) -> None:
    graphic = drawing('<dgm:relIds r:dm="rId5"/>')
    path = text_document(tmp_path / "a.docx", graphic, ("rId5", "diagramData", "d1.xml"), d1_xml=DIAGRAM)
    (page,) = pages_of(path)
    assert [(page.text[block.start : block.end], block.level) for block in page.blocks] == DIAGRAM_ITEMS


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (run("A=π") + f"<m:sSup><m:e>{run('r')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>", "A=πr^2"),
        (f"<m:f><m:num>{run('a+b')}</m:num><m:den>{run('2a')}</m:den></m:f>", "(a+b)/(2a)"),
        (f"<m:rad><m:deg>{run('3')}</m:deg><m:e>{run('x+1')}</m:e></m:rad>", "∛(x+1)"),
        (
            f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{run('i=1')}</m:sub><m:sup>{run('n')}</m:sup>"
            f"<m:e><m:sSub><m:e>{run('x')}</m:e><m:sub>{run('i')}</m:sub></m:sSub></m:e></m:nary>",
            "∑_(i=1)^n x_i",
        ),
        (
            "<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=']'/></m:dPr><m:e><m:m>"
            + "".join(f"<m:mr><m:e>{run(a)}</m:e><m:e>{run(b)}</m:e></m:mr>" for a, b in ("12", "34"))
            + "</m:m></m:e></m:d>",
            "[1, 2; 3, 4]",
        ),
        (f"<m:limLow><m:e>{run('lim')}</m:e><m:lim>{run('x→0')}</m:lim></m:limLow>{run(' f')}", "lim_(x→0) f"),
        ("<m:oMathPara><m:oMath>" * 300, ""),
    ],
)  # fmt: skip
def test_equations_are_lines_that_a_reader_understands(tmp_path: Path, equation: str, text: str) -> None:
    from lxml import etree

    from docmill.pipeline.extract.office.equations import equation_text

    parser = etree.XMLParser(recover=True, huge_tree=True)
    assert equation_text(etree.fromstring(f"<m:oMath {NAMES}>{equation}</m:oMath>", parser)) == text


def test_equations_stand_in_their_sentence_their_table_and_their_text_box(tmp_path: Path) -> None:
    equation = f"<m:oMath>{run('E=m')}<m:sSup><m:e>{run('c')}</m:e><m:sup>{run('2')}</m:sup></m:sSup></m:oMath>"
    sentence = f"<w:p><w:r><w:t xml:space='preserve'>So </w:t></w:r>{equation}</w:p>"
    table = f"<w:tbl><w:tr><w:tc>{paragraph('energy')}</w:tc><w:tc><w:p>{equation}</w:p></w:tc></w:tr></w:tbl>"
    inner = f"<v:textbox><w:txbxContent><w:p>{equation}</w:p></w:txbxContent></v:textbox>"
    box = f"<w:p><w:r><w:pict>{inner}</w:pict></w:r></w:p>"
    two = f"<w:p>{equation}{equation}</w:p>"
    assert text_of(text_document(tmp_path / "a.docx", sentence + table + box + two)) == (
        "So E=mc^2\n\nenergy | E=mc^2\n\nE=mc^2\n\nE=mc^2\nE=mc^2"
    )


def test_of_alternatives_the_one_with_the_equation_is_read(tmp_path: Path) -> None:
    box = f"""<mc:AlternateContent><mc:Choice Requires="a14"><p:sp><p:txBody><a:p><a:r><a:t>Factors: </a:t></a:r>
    <a14:m><m:oMath>{run("x+1")}</m:oMath></a14:m></a:p></p:txBody></p:sp></mc:Choice>
    <mc:Fallback>{shape("no equations here")}</mc:Fallback></mc:AlternateContent>"""
    assert text_of(deck(tmp_path / "a.pptx", box)) == "Factors: x+1"


def test_readings_above_words_follow_them(tmp_path: Path) -> None:
    def ruby(base: str, reading: str) -> str:
        return (
            f"<w:r><w:ruby><w:rt><w:r><w:t>{reading}</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>{base}</w:t></w:r>"
            "</w:rubyBase></w:ruby></w:r>"
        )

    body = f"<w:p>{ruby('東', 'とう')}{ruby('京', 'きょう')}<w:r><w:t>へ</w:t></w:r></w:p>"
    assert text_of(text_document(tmp_path / "a.docx", body)) == "東京(とうきょう)へ"


def test_slides_have_their_title_first_and_comments_marked(tmp_path: Path) -> None:
    comments = f'<p:cmLst {NAMES}><p:cm authorId="3"><p:text>Too long</p:text></p:cm></p:cmLst>'
    authors = f'<p:cmAuthorLst {NAMES}><p:cmAuthor id="3" name="Ann"/></p:cmAuthorLst>'
    path = deck(
        tmp_path / "a.pptx",
        shape("A point") + shape("7", "sldNum") + shape("The harbour", "title"),
        ("rId5", "comments", "../comments/c1.xml"),
        ("rId6", "slideLayout", "../slideLayouts/NULL"),
        parts={"ppt/comments/c1.xml": comments, "ppt/commentAuthors.xml": authors},
    )
    (page,) = pages_of(path)
    assert blocks_of(page) == [
        ("heading", "The harbour"), ("paragraph", "A point"), ("paragraph", "Comment by Ann: Too long"),
    ]  # fmt: skip


def test_what_a_relationship_points_to_may_be_missing(tmp_path: Path) -> None:
    body = paragraph("Still read") + drawing('<a:blip r:embed="rId5"/>') + drawing('<c:chart r:id="rId6"/>')
    path = text_document(
        tmp_path / "a.docx", body, ("rId5", "image", "NULL"), ("rId6", "chart", "charts/gone.xml"),
        ("rId7", "styles", "../NULL"), ("rId8", "footnotes", "footnotes.xml"), footnotes_xml="<damaged",
    )  # fmt: skip
    assert text_of(path) == "Still read"


def test_strict_files_read_like_others(tmp_path: Path) -> None:
    strict = {"w": "wordprocessingml/main", "r": "officeDocument/relationships", "m": "officeDocument/math"}
    names = " ".join(f'xmlns:{short}="http://purl.oclc.org/ooxml/{name}"' for short, name in strict.items())
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    body = f"{paragraph('One')}{table}<w:p><m:oMath>{run('x')}</m:oMath></w:p>"
    document = f"<w:document {names}><w:body>{body}</w:body></w:document>"
    assert text_of(package(tmp_path / "a.docx", {"word/document.xml": document})) == "One\n\na\n\nx"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("chunk.html", "<html><body><p>From the web</p></body></html>", "From the web"),
        (
            "chunk.mht",
            "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html;"
            " charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>Gr=C3=B6=C3=9Fe</p>\n--b--\n",
            "Größe",
        ),
        ("chunk.rtf", r"{\rtf1\ansi From Rich Text.\par}", "From Rich Text."),
        ("chunk.txt", "From a text", "From a text"),
        ("chunk.bin", "\0\1\2", ""),
    ],
)
def test_documents_of_other_kinds_within_a_docx(tmp_path: Path, name: str, content: str, text: str) -> None:
    body = paragraph("Before") + '<w:altChunk r:id="rId5"/>' + paragraph("After")
    parts = {name.replace(".", "_"): content}
    path = text_document(tmp_path / "a.docx", body, ("rId5", "aFChunk", name), **parts)
    assert text_of(path) == "\n\n".join(filter(None, ["Before", text, "After"]))


def test_a_docx_that_holds_itself_ends(tmp_path: Path) -> None:
    inner = text_document(tmp_path / "in.docx", paragraph("Inner")).read_bytes()
    chunk = ("rId5", "aFChunk", "chunk.docx")
    for _ in range(6):
        body = paragraph("Outer") + '<w:altChunk r:id="rId5"/>'
        inner = text_document(tmp_path / "out.docx", body, chunk, chunk_docx=inner).read_bytes()
    assert text_of(tmp_path / "out.docx") == "Outer\n\nOuter\n\nOuter\n\nOuter"


def test_a_word_document_that_is_one_xml_file_is_read_by_either_name(tmp_path: Path) -> None:
    names = 'xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage"'
    document = f"<w:document {NAMES}><w:body>{paragraph('In one file')}</w:body></w:document>"
    flat = f"""<?xml version="1.0"?><?mso-application progid="Word.Document"?><pkg:package {names}>
    <pkg:part pkg:name="/word/document.xml"><pkg:xmlData>{document}</pkg:xmlData></pkg:part></pkg:package>"""
    old = """<?xml version="1.0"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml"
    xmlns:wx="http://schemas.microsoft.com/office/word/2003/auxHint"><w:body><wx:sect><w:p><w:r><w:t>Of 2003</w:t></w:r>
    </w:p></wx:sect></w:body></w:wordDocument>"""
    for content, text in ((flat, "In one file"), (old, "Of 2003")):
        path = tmp_path / "a.doc"
        path.write_text(content, "utf-8")
        assert text_of(path) == text

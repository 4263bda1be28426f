"""Sheets read as a person sees them: values by their number formats, text boxes, charts and comments."""

import zipfile
from pathlib import Path

import pytest

from docmill.pipeline.extract.office.number_formats import shown
from tests.unit.documents import blocks_of, pages_of
from tests.unit.office_package import CHART, CHART_ROWS, DIAGRAM, DIAGRAM_ITEMS, NAMES, links, package

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (81 / 86400, "h:mm:ss", "0:01:21"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (0.00051, "mm:ss.0", "00:44.1"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.13079, "0.0%", "13.1%"),
        (43000, "[$-F800]dddd, mmmm dd, yyyy", "Friday, September 22, 2017"),
        (43000.5, "yyyy-mm-dd hh:mm", "2017-09-22 12:00"),
        (1, "dd.mm.yyyy", "01.01.1900"),
        (1234.5, '#,##0.00 "€"', "1,234.50 €"),
        (1234.56, r"#,##0.00\ [$Kč-405]", "1,234.56 Kč"),
        (-12.3, "$#,##0.00;[Red]($#,##0.00)", "($12.30)"),
        (0, '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', "-"),
        (1.25, "# ?/?", "1 1/4"),
        (0.375, "?/8", "3/8"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (12345678, '0.0,,"M"', "12.3M"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (0.5, "[<1]0%;0.0", "50%"),
        (2.675, "0.00", "2.68"),
        (-0.001, "0.00", "0.00"),
        (0.1 + 0.2, "General", "0.3"),
        (-1, "yyyy", "-1"),
        (7, ";;;", ""),
        (7, "", "7"),
        (3, "0" * 5000, "3".rjust(1000, "0")),
    ],
)
def test_numbers_are_shown_by_their_format(value: float, code: str, text: str) -> None:
    assert shown(value, code or "General") == text


def book(path: Path, rows: str, *relationships: tuple[str, str, str], **parts: str) -> Path:
    """An XLSX of one sheet; style 1 shows percents, 2 times, 3 dates."""
    formats = '<numFmts><numFmt numFmtId="170" formatCode="h:mm:ss"/></numFmts>'
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 10, 170, 14))
    strings = "<si><t>plain</t></si><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>reading</t></rPh></si>"
    return package(path, {
        "xl/workbook.xml": f'<workbook {MAIN} {NAMES}><sheets><sheet name="Catch" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": links(
            ("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml"),
            ("rId3", "sharedStrings", "sharedStrings.xml"), ("rId4", "person", "persons/person.xml"),
        ),
        "xl/styles.xml": f"<styleSheet {MAIN}>{formats}<cellXfs>{styles}</cellXfs></styleSheet>",
        "xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet {MAIN}><sheetData>{rows}</sheetData><headerFooter><oddHeader>"
        "&amp;C&amp;\"Arial\"&amp;14Harbour office&amp;RPage &amp;P</oddHeader></headerFooter></worksheet>",
        "xl/worksheets/_rels/sheet1.xml.rels": links(*relationships),
        **{f"xl/{name.replace('__', '/').replace('_', '.')}": part for name, part in parts.items()},
    })  # fmt: skip


def test_cells_read_as_shown_and_formulas_without_a_value_say_themselves(tmp_path: Path) -> None:
    rows = """<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="E2" t="b"><v>1</v></c></row>
    <row r="9"><c r="B9" s="1"><v>0.1</v></c><c r="C9" s="2"><f>A1</f><v>0.5</v></c>
    <c r="E9" s="3"><v>43000</v></c></row>
    <row><c><f>SUM(B2:B9)</f></c><c t="inlineStr"><is><t>in
    line</t></is></c><c t="e"><v>#DIV/0!</v></c><c r="E10" t="d"><v>2024-05-01T00:00:00</v></c></row>"""
    (page,) = pages_of(book(tmp_path / "a.xlsx", rows))
    assert [text for _, text in blocks_of(page)] == [
        "Catch",
        "| plain | rich | TRUE",
        "| 10.00% | 12:00:00 | 2017-09-22",
        "=SUM(B2:B9) | in line | #DIV/0! | 2024-05-01",
        "Harbour office Page",
    ]


def test_text_boxes_charts_and_diagrams_of_a_sheet_follow_its_rows(tmp_path: Path) -> None:
    drawing = f"""<xdr:wsDr {NAMES}><xdr:sp><xdr:txBody><a:p><a:r><a:t>In a box</a:t></a:r></a:p></xdr:txBody></xdr:sp>
    <xdr:graphicFrame><a:graphicData><c:chart r:id="c"/></a:graphicData></xdr:graphicFrame>
    <xdr:graphicFrame><a:graphicData><dgm:relIds r:dm="d"/></a:graphicData></xdr:graphicFrame></xdr:wsDr>"""
    old = f"""<xml {NAMES}><v:shape><v:textbox><div>An old box<br></div></v:textbox></v:shape>
    <v:shape><v:textbox><div>note</div></v:textbox><x:ClientData ObjectType="Note"/></v:shape></xml>"""
    path = book(
        tmp_path / "a.xlsx", '<row r="1"><c r="A1"><v>7</v></c></row>', ("d", "drawing", "../drawings/drawing1.xml"),
        ("v", "vmlDrawing", "../drawings/old.vml"), drawings__drawing1_xml=drawing, drawings__old_vml=old,
        charts__c_xml=CHART, diagrams__d_xml=DIAGRAM,
    )  # fmt: skip
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "xl/drawings/_rels/drawing1.xml.rels",
            links(("c", "chart", "../charts/c.xml"), ("d", "diagramData", "../diagrams/d.xml")),
        )
    (page,) = pages_of(path)
    assert [text for _, text in blocks_of(page)] == [
        "Catch", "7", "In a box", "Catch by month", "Share of the catch", *CHART_ROWS,
        *(text for text, _ in DIAGRAM_ITEMS), "An old box", "Harbour office Page",
    ]  # fmt: skip


def test_comments_are_marked_and_threads_read_once(tmp_path: Path) -> None:
    comments = f"""<comments {MAIN}><authors><author>Ann</author></authors><commentList>
    <comment ref="A1" authorId="0"><text><r><t>Ann:</t></r><r><t>
Check this</t></r></text></comment>
    <comment ref="B2" authorId="0"><text><t>[Threaded comment] Your version cannot show it</t></text></comment>
    </commentList></comments>"""
    threads = f"""<ThreadedComments {MAIN}><threadedComment ref="B2" personId="p"><text>Is it so?</text>
    </threadedComment><threadedComment ref="B2" personId="q"><text>It is.</text></threadedComment></ThreadedComments>"""
    people = f'<personList {MAIN}><person displayName="Ben" id="p"/></personList>'
    path = book(
        tmp_path / "a.xlsx", '<row r="1"><c r="A1"><v>7</v></c></row>', ("c", "comments", "../comments1.xml"),
        ("t", "threadedComment", "../threads.xml"), comments1_xml=comments, threads_xml=threads,
        persons__person_xml=people,
    )  # fmt: skip
    (page,) = pages_of(path)
    assert [text for _, text in blocks_of(page)][2:-1] == [
        "Comment on B2 by Ben: Is it so?", "Comment on B2: It is.", "Comment on A1 by Ann: Check this",
    ]  # fmt: skip

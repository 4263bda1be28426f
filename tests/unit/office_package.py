"""Office packages made of raw parts, for tests: what other programs write and python-docx and python-pptx cannot."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NAMES = " ".join(
    f'xmlns:{short}="{name}"'
    for short, name in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "r": OFFICE,
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "a14": "http://schemas.microsoft.com/office/drawing/2010/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "xdr": "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing",
        "v": "urn:schemas-microsoft-com:vml",
        "x": "urn:schemas-microsoft-com:office:excel",
    }.items()
)
MAIN = {"docx": "word/document.xml", "pptx": "ppt/presentation.xml", "xlsx": "xl/workbook.xml"}


def links(*links: tuple[str, str, str]) -> str:
    """A listing of relationships: id, kind, target."""
    return "<Relationships>" + "".join(
        f'<Relationship Id="{identity}" Type="{OFFICE}/{kind}" Target="{target}"/>' for identity, kind, target in links
    ) + "</Relationships>"  # fmt: skip


def package(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """Write a package of that name's kind."""
    main = MAIN[path.suffix[1:]]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", links(("rId1", "officeDocument", main)))
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def text_document(path: Path, body: str, *relationships: tuple[str, str, str], **parts: str | bytes) -> Path:
    """A DOCX with this body; `parts` by their names below word/, "__" for a slash and "_" before the extension."""
    names = {"word/" + name.replace("__", "/").replace("_", "."): part for name, part in parts.items()}
    return package(path, {
        "word/document.xml": f"<w:document {NAMES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": links(*relationships),
        **names,
    })  # fmt: skip


def deck(path: Path, shapes: str, *relationships: tuple[str, str, str], parts: Mapping[str, str] | None = None) -> Path:
    """A PPTX of one slide with these shapes."""
    return package(path, {
        "ppt/presentation.xml": f'<p:presentation {NAMES}><p:sldIdLst><p:sldId id="256" r:id="rId1"/>'
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": links(
            ("rId1", "slide", "slides/slide1.xml"), ("rId2", "commentAuthors", "commentAuthors.xml")
        ),
        "ppt/slides/slide1.xml": f"<p:sld {NAMES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": links(*relationships),
        **(parts or {}),
    })  # fmt: skip


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def drawing(graphic: str) -> str:
    """A paragraph of a DOCX with a drawing in it."""
    return (
        f"<w:p><w:r><w:drawing><a:graphic><a:graphicData>{graphic}</a:graphicData></a:graphic></w:drawing></w:r></w:p>"
    )


def shape(text: str, kind: str = "") -> str:
    """A shape of a slide, a placeholder of that kind if one is named."""
    placeholder = (
        f'<p:nvSpPr><p:cNvPr id="1" name=""/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    )
    return f"<p:sp>{placeholder}<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"


def _points(values: Mapping[int, str]) -> str:
    return "".join(f'<c:pt idx="{place}"><c:v>{value}</c:v></c:pt>' for place, value in values.items())


CHART = f"""<c:chartSpace {NAMES}><c:chart>
<c:title><c:tx><c:rich><a:p><a:r><a:t>Catch by month</a:t></a:r></a:p></c:rich></c:tx></c:title>
<c:plotArea><c:barChart><c:ser>
<c:tx><c:strRef><c:strCache>{_points({0: "Cod"})}</c:strCache></c:strRef></c:tx>
<c:cat><c:strRef><c:strCache>{_points({0: "May", 1: "June"})}</c:strCache></c:strRef></c:cat>
<c:val><c:numRef><c:numCache><c:formatCode>0.0%</c:formatCode>{_points({0: "0.25", 1: "0.5"})}</c:numCache></c:numRef>
</c:val></c:ser><c:ser><c:tx><c:v>Hake</c:v></c:tx>
<c:val><c:numLit>{_points({1: "7"})}</c:numLit></c:val></c:ser></c:barChart>
<c:valAx><c:title><c:tx><c:rich><a:p><a:r><a:t>Share of the catch</a:t></a:r></a:p></c:rich></c:tx></c:title></c:valAx>
</c:plotArea></c:chart></c:chartSpace>"""
CHART_ROWS = ["| Cod | Hake", "May | 25.0%", "June | 50.0% | 7"]


def _point(identity: str, text: str, kind: str = "node") -> str:
    return f'<dgm:pt modelId="{identity}" type="{kind}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'


def _connection(source: str, target: str, order: int) -> str:
    return f'<dgm:cxn srcId="{source}" destId="{target}" srcOrd="{order}"/>'


DIAGRAM = f"""<dgm:dataModel {NAMES}><dgm:ptLst>{_point("d", "", "doc")}{_point("2", "Sort the fish")}
{_point("1", "Land the catch")}{_point("3", "by size")}{_point("9", "shape", "pres")}</dgm:ptLst><dgm:cxnLst>
{_connection("d", "2", 1)}{_connection("d", "1", 0)}{_connection("2", "3", 0)}{_connection("3", "2", 0)}
</dgm:cxnLst></dgm:dataModel>"""
DIAGRAM_ITEMS = [("• Land the catch", 1), ("• Sort the fish", 1), ("• by size", 2)]

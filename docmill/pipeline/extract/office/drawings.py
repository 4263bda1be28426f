"""Text that drawings hold in DOCX, PPTX and XLSX: paragraphs of shapes, tables, diagrams (SmartArt), charts, pictures
(ECMA-376 part 1, 20 and 21; part 3 for mc:AlternateContent)."""

from typing import Any

from docmill.pipeline.extract.ocr.images import picture_paragraphs
from docmill.pipeline.extract.office.charts import write_chart
from docmill.pipeline.extract.office.diagrams import write_diagram
from docmill.pipeline.extract.office.drawing_text import ALTERNATE, A, alternative, paragraph_text
from docmill.pipeline.extract.office.equations import M, equation_text
from docmill.pipeline.extract.office.package import Package, R
from docmill.pipeline.extract.reading import PageWriter

_MAX_NESTING = 100
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_CHARTS = (
    "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart",
    "{http://schemas.microsoft.com/office/drawing/2014/chartex}chart",
)


class DrawingWriter:
    """Writes what a document's drawings hold; a picture that returns is read at its first place."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._pictures: set[str] = set()

    def write(self, writer: PageWriter, part: str, element: Any, nesting: int = 0) -> None:
        """Write the text below `element`, which stands in the package's part of that name, in order."""
        tag = element.tag
        if nesting > _MAX_NESTING or not isinstance(tag, str):
            return
        if tag == ALTERNATE:
            for child in alternative(element):
                self.write(writer, part, child, nesting + 1)
        elif tag == A + "tbl":
            self._table(writer, element)
        elif tag == A + "p":
            writer.add("paragraph", paragraph_text(element))
        elif tag in (M + "oMath", M + "oMathPara"):
            writer.add("paragraph", equation_text(element))
        elif tag in _CHARTS:
            self.write_chart(writer, self._package.target(part, element.get(R + "id")))
        elif tag == _DIAGRAM:
            self._diagram(writer, part, element)
        elif tag == A + "blip":
            self.write_picture(writer, self._package.target(part, element.get(R + "embed")))
        else:
            for child in element:
                self.write(writer, part, child, nesting + 1)

    def write_chart(self, writer: PageWriter, part: str | None) -> None:
        """A chart's table, and the text of shapes that are drawn on it."""
        root = self._package.xml(part)
        if part is None or root is None:
            return
        write_chart(writer, root)
        for drawing in self._package.related(part, "chartUserShapes"):
            shapes = self._package.xml(drawing)
            if shapes is not None:
                self.write(writer, drawing, shapes)

    def write_picture(self, writer: PageWriter, part: str | None) -> None:
        """The text of a picture, by OCR."""
        if part is None or part in self._pictures:
            return
        self._pictures.add(part)
        data = self._package.media(part)
        for text in picture_paragraphs(data) if data else ():
            writer.add("paragraph", text)

    def _diagram(self, writer: PageWriter, part: str, element: Any) -> None:
        data = self._package.target(part, element.get(R + "dm"))
        root = self._package.xml(data)
        if root is not None and data is not None:
            write_diagram(writer, root)
            for blip in root.iter(A + "blip"):
                self.write_picture(writer, self._package.target(data, blip.get(R + "embed")))

    def _table(self, writer: PageWriter, table: Any) -> None:
        rows = [[_cell_text(cell) for cell in row.iterchildren(A + "tc")] for row in table.iterchildren(A + "tr")]
        properties = table.find(A + "tblPr")
        named = properties is not None and properties.get("firstRow") in ("1", "true")
        for number, cells in enumerate(rows):
            writer.add_row(cells, is_header=number == 0 and named and len(rows) > 1)


def _cell_text(cell: Any) -> str:
    if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true"):
        return ""
    return " ".join(paragraph_text(paragraph) for paragraph in cell.iter(A + "p"))

"""A page as it is looked at: upright, from its upper left corner."""

import pypdfium2 as pdfium
import pypdfium2.raw as raw

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points, y downwards."""


class Viewport:
    """Turns pdfium's coordinates (points, y upwards, page not rotated) into ours (y downwards, page upright)."""

    def __init__(self, page: pdfium.PdfPage, quarter_turns: int = 0) -> None:
        self.quarter_turns = quarter_turns
        self.turns = (raw.FPDFPage_GetRotation(page.raw) + quarter_turns) % 4
        self.x0, self.y0, self.x1, self.y1 = page.get_bbox()
        width, height = self.x1 - self.x0, self.y1 - self.y0
        self.width, self.height = (height, width) if self.turns % 2 else (width, height)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """x0, y0, x1, y1 of a box."""
        if self.turns == 0:
            return left - self.x0, self.y1 - top, right - self.x0, self.y1 - bottom
        if self.turns == 1:
            return bottom - self.y0, left - self.x0, top - self.y0, right - self.x0
        if self.turns == 2:
            return self.x1 - right, bottom - self.y0, self.x1 - left, top - self.y0
        return self.y1 - top, self.x1 - right, self.y1 - bottom, self.x1 - left

"""Paragraphs of DrawingML (ECMA-376 part 1, 21.1.2), as a reader of the slide or drawing sees them."""

from typing import Any

from docmill.pipeline.extract.office.equations import M, equation_text

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
ALTERNATE = _COMPATIBILITY + "AlternateContent"
_MAX_NESTING = 40


def alternative(element: Any) -> Any:
    """The branch of an mc:AlternateContent that a reader who knows everything sees: the first that holds anything; an
    empty list where none does."""
    branches = [*element.iterchildren(_COMPATIBILITY + "Choice"), *element.iterchildren(_COMPATIBILITY + "Fallback")]
    return next((branch for branch in branches if len(branch)), [])


def paragraph_text(paragraph: Any) -> str:
    """The text of an a:p, with line breaks and equations."""
    return _text(paragraph, 0).strip()


def _text(element: Any, nesting: int) -> str:
    parts: list[str] = []
    for child in element if nesting < _MAX_NESTING else ():
        tag = child.tag
        if tag == A + "t":
            parts.append((child.text or "").replace("\v", "\n"))
        elif tag == A + "br":
            parts.append("\n")
        elif tag == A + "tab":
            parts.append("\t")
        elif tag in (M + "oMath", M + "oMathPara"):
            parts.append(equation_text(child))
        elif tag == ALTERNATE:
            parts.append(_text(alternative(child), nesting + 1))
        elif isinstance(tag, str) and not tag.endswith("Pr"):
            parts.append(_text(child, nesting + 1))
    return "".join(parts)

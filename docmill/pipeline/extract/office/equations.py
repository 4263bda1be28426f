"""Equations of Office (OMML, ECMA-376 part 1, 22.1) as one line of text: `πr^2`, `(a+b)/c`, `∑_(i=1)^n`, `√(x)`."""

from collections.abc import Callable
from typing import Any

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MAX_NESTING = 60
_ROOTS = {"": "√", "2": "√", "3": "∛", "4": "∜"}
_HAT, _OVERLINE = "\u0302", "\u0305"
_OPENING, _CLOSING = "([{⟨⌊⌈|‖", ")]}⟩⌋⌉|‖"


def equation_text(element: Any) -> str:
    """The text of an m:oMath; those of an m:oMathPara follow each other line by line."""
    if element.tag == M + "oMathPara":
        return "\n".join(filter(None, map(equation_text, element.iterchildren(M + "oMath"))))
    return " ".join(_joined(element, 0).split())


def _joined(element: Any, nesting: int) -> str:
    if element is None or nesting > _MAX_NESTING:
        return ""
    return "".join(_text(child, nesting + 1) for child in element)


def _text(element: Any, nesting: int) -> str:
    tag = element.tag
    if not isinstance(tag, str) or tag.endswith("Pr"):
        return ""
    if tag in (M + "t", _WORD + "t"):
        return element.text or ""
    if tag in (_WORD + "del", _WORD + "moveFrom"):
        return ""
    write = _WRITERS.get(tag.removeprefix(M)) if tag.startswith(M) else None
    return write(element, nesting) if write else _joined(element, nesting)


def _argument(element: Any, name: str, nesting: int) -> str:
    return _joined(element.find(M + name), nesting).strip()


def _property(element: Any, name: str, default: str) -> str:
    found = element.find(f"{M}{element.tag.removeprefix(M)}Pr/{M}{name}")
    return default if found is None else str(found.get(M + "val", ""))


def _is_on(element: Any, name: str) -> bool:
    found = element.find(f"{M}{element.tag.removeprefix(M)}Pr/{M}{name}")
    return found is not None and found.get(M + "val", "1") not in ("0", "false", "off")


def _grouped(text: str) -> str:
    """The text as one operand: in brackets unless it is one word, or in brackets already."""
    if len(text) < 2 or text.isalnum() or _is_bracketed(text):
        return text
    return f"({text})"


def _operand(text: str) -> str:
    """A side of a fraction's bar: in brackets unless it is one letter, a number or a differential."""
    is_plain = text.isdigit() or (len(text) == 2 and text[0] in "d∂")
    return text if len(text) < 2 or is_plain or _is_bracketed(text) else f"({text})"


def _is_bracketed(text: str) -> bool:
    place = _OPENING.find(text[0])
    if place < 0 or text[-1] != _CLOSING[place]:
        return False
    if text[0] == text[-1]:
        return text.count(text[0]) == 2
    depth = 0
    for position, character in enumerate(text):
        depth += (character == text[0]) - (character == text[-1])
        if depth == 0:
            return position == len(text) - 1
    return False


def _fraction(element: Any, nesting: int) -> str:
    above, below = _argument(element, "num", nesting), _argument(element, "den", nesting)
    if _property(element, "type", "bar") == "noBar":
        return f"({above} ¦ {below})"
    return f"{_operand(above)}/{_operand(below)}"


def _radical(element: Any, nesting: int) -> str:
    degree = "" if _is_on(element, "degHide") else _argument(element, "deg", nesting)
    sign = _ROOTS.get(degree, f"√[{degree}]")
    return f"{sign}({_argument(element, 'e', nesting)})"


def _scripts(element: Any, nesting: int) -> str:
    base = _argument(element, "e", nesting)
    below, above = _argument(element, "sub", nesting), _argument(element, "sup", nesting)
    scripts = (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    if element.tag == M + "sPre":
        return scripts + base
    return (base if len(base) < 2 or base.isalnum() else _grouped(base)) + scripts


def _nary(element: Any, nesting: int) -> str:
    below = "" if _is_on(element, "subHide") else _argument(element, "sub", nesting)
    above = "" if _is_on(element, "supHide") else _argument(element, "sup", nesting)
    sign = _property(element, "chr", "∫") or "∫"
    scripts = (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    return f"{sign}{scripts} {_argument(element, 'e', nesting)} "


def _delimited(element: Any, nesting: int) -> str:
    opening, closing = _property(element, "begChr", "("), _property(element, "endChr", ")")
    separator = _property(element, "sepChr", "|")
    parts = [_cells(each, nesting) for each in element.iterchildren(M + "e")]
    return opening + separator.join(parts) + closing


def _cells(element: Any, nesting: int) -> str:
    """What brackets hold; a matrix that is alone in them needs none of its own."""
    inner = [child for child in element if not str(child.tag).endswith("Pr")]
    if len(inner) == 1 and inner[0].tag == M + "m" and nesting < _MAX_NESTING:
        return _rows(inner[0], nesting)
    if len(inner) == 1 and inner[0].tag == M + "f" and _property(inner[0], "type", "bar") == "noBar":
        return _fraction(inner[0], nesting)[1:-1]
    return _joined(element, nesting).strip()


def _rows(matrix: Any, nesting: int) -> str:
    return "; ".join(
        ", ".join(_joined(cell, nesting).strip() for cell in row.iterchildren(M + "e"))
        for row in matrix.iterchildren(M + "mr")
    )


def _matrix(element: Any, nesting: int) -> str:
    return f"[{_rows(element, nesting)}]"


def _equations(element: Any, nesting: int) -> str:
    return "; ".join(_joined(each, nesting).replace("&", "").strip() for each in element.iterchildren(M + "e"))


def _function(element: Any, nesting: int) -> str:
    return f" {_argument(element, 'fName', nesting)} {_argument(element, 'e', nesting)} "


def _lower_limit(element: Any, nesting: int) -> str:
    return f"{_argument(element, 'e', nesting)}_{_grouped(_argument(element, 'lim', nesting))}"


def _upper_limit(element: Any, nesting: int) -> str:
    return f"{_argument(element, 'e', nesting)}^{_grouped(_argument(element, 'lim', nesting))}"


def _accented(element: Any, nesting: int) -> str:
    base, mark = _argument(element, "e", nesting), _property(element, "chr", _HAT)
    return base + mark if len(base) == 1 else f"{_grouped(base)}{mark}"


def _barred(element: Any, nesting: int) -> str:
    base = _argument(element, "e", nesting)
    return base + _OVERLINE if len(base) == 1 and _property(element, "pos", "bot") == "top" else base


_WRITERS: dict[str, Callable[[Any, int], str]] = {
    "f": _fraction, "rad": _radical, "sSup": _scripts, "sSub": _scripts, "sSubSup": _scripts, "sPre": _scripts,
    "nary": _nary, "d": _delimited, "m": _matrix, "eqArr": _equations, "func": _function, "limLow": _lower_limit,
    "limUpp": _upper_limit, "acc": _accented, "bar": _barred,
}  # fmt: skip

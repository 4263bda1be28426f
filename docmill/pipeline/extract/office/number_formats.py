"""Numbers as spreadsheets show them, by their format codes (ECMA-376 part 1, 18.8.30 and 18.8.31).

Month and day names are English whatever the locale in the code; colours, padding and fill characters are left out.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache, partial

from docmill.pipeline.extract.office.date_formats import shown_date
from docmill.pipeline.extract.office.format_codes import CONDITION, Token, tokens_of

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: '"$"#,##0;-"$"#,##0', 6: '"$"#,##0;-"$"#,##0',
    7: '"$"#,##0.00;-"$"#,##0.00', 8: '"$"#,##0.00;-"$"#,##0.00', 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 41: "#,##0;-#,##0", 42: '"$"#,##0;-"$"#,##0',
    43: "#,##0.00;-#,##0.00", 44: '"$"#,##0.00;-"$"#,##0.00', 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
    48: "##0.0E+0", 49: "@", 27: "yyyy-mm-dd", 28: "yyyy-mm-dd", 29: "yyyy-mm-dd", 30: "yyyy-mm-dd", 31: "yyyy-mm-dd",
    32: "h:mm", 33: "h:mm:ss", 36: "yyyy-mm-dd", 50: "yyyy-mm-dd", 57: "yyyy-mm-dd",
}  # fmt: skip
"""The formats that files name by number alone; 14 and 22 stand for the reader's short date: written in ISO form."""

_MAX_CODE = 1000


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[Token, ...]
    condition: tuple[str, float] | None
    is_date: bool
    write: Callable[[float], str]


def shown(value: float, code: str, *, date_1904: bool = False) -> str:
    """The number as a cell with this format code shows it. What the code cannot show (a negative date) and codes that
    cannot be read are shown as with the code General."""
    sections = _sections(code[:_MAX_CODE])
    section, number = _chosen(sections, value)
    if section is None or not math.isfinite(value):
        return general(value)
    if section.is_date:
        return shown_date(section.tokens, value, date_1904) or general(value)
    if not section.tokens:
        return ""
    return section.write(number)


def shown_text(text: str, code: str) -> str:
    """A text as a cell with this format code shows it: put for the @ of the code's last section, if there is one."""
    sections = _sections(code[:_MAX_CODE])
    last = sections[-1]
    if Token("other", "@") not in last.tokens:
        return text
    written = (text if token == Token("other", "@") else token.text if token.kind in ("literal", "other") else ""
               for token in last.tokens)  # fmt: skip
    return "".join(written)


def is_date_code(code: str) -> bool:
    """Whether a number with this format code is a date or a time."""
    return _sections(code[:_MAX_CODE])[0].is_date


def general(value: float) -> str:
    """A number without a format of its own: at most 11 significant digits, as a cell shows it."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.11g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}E{exponent[0]}{exponent[1:].lstrip('0').rjust(2, '0')}"
    return text


@lru_cache(maxsize=2048)
def _sections(code: str) -> tuple[_Section, ...]:
    sections: list[list[Token]] = [[]]
    for token in tokens_of(code):
        if token == Token("other", ";"):
            sections.append([])
        else:
            sections[-1].append(token)
    return tuple(map(_section, sections[:4]))


def _section(tokens: list[Token]) -> _Section:
    condition = None
    for token in tokens:
        if token.kind == "condition" and (found := CONDITION.match(token.text)):
            condition = (found[1], float(found[2]))
    kept = tuple(token for token in tokens if token.kind not in ("skip", "condition"))
    is_date = any(token.kind in ("date", "elapsed", "ampm") for token in kept)
    return _Section(kept, condition, is_date, _number_writer(kept))


def _chosen(sections: tuple[_Section, ...], value: float) -> tuple[_Section | None, float]:
    """The section for the value, and the value as it is written there: without its sign where the section has one."""
    for place, section in enumerate(sections[:3]):
        if section.condition is not None and _holds(section.condition, value):
            return section, abs(value) if value < 0 and (place or section.condition[0] in ("<", "<=")) else value
    free = [section for section in sections[:3] if section.condition is None]
    if any(section.condition for section in sections):
        return (free[-1], value) if free else (None, value)
    if len(free) > 2 and value == 0:
        return free[2], 0.0
    if len(free) > 1 and value < 0:
        return free[1], -value
    return free[0], value


def _holds(condition: tuple[str, float], value: float) -> bool:
    sign, bound = condition
    return {"<": value < bound, ">": value > bound, "=": value == bound, "<=": value <= bound, ">=": value >= bound,
            "<>": value != bound}[sign]  # fmt: skip


def _number_writer(tokens: tuple[Token, ...]) -> Callable[[float], str]:
    """How the code writes a number, told once for all the cells that have it."""
    if any(token.kind == "general" for token in tokens):
        return partial(_general_among, tokens)
    if not any(token.kind == "digit" for token in tokens):
        return partial(_without_digits, tokens)
    slash = next((place for place, token in enumerate(tokens) if token == Token("other", "/")), None)
    if slash and _is_fraction(tokens, slash):
        return partial(_fraction, tokens, slash)
    scale = Decimal(100) ** sum(token == Token("other", "%") for token in tokens)
    exponent = next((place for place, token in enumerate(tokens) if token.kind == "exponent"), None)
    if exponent is not None:
        mantissa = _places(tokens[:exponent])
        return lambda value: _scientific(tokens, exponent, mantissa, Decimal(repr(value)) * scale)
    places = _places(tokens)
    return lambda value: _fixed(places, Decimal(repr(value)) * scale)


def _general_among(tokens: tuple[Token, ...], value: float) -> str:
    return "".join(general(value) if token.kind == "general" else _literal(token) for token in tokens)


def _without_digits(tokens: tuple[Token, ...], value: float) -> str:
    sign = "-" if value < 0 and any(token == Token("other", "@") for token in tokens) else ""
    return sign + "".join(general(abs(value)) if token.text == "@" else _literal(token) for token in tokens).strip()


def _literal(token: Token) -> str:
    return token.text if token.kind in ("literal", "other", "date") else ""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a code has digits: `least` of them before the point are always written, of the `decimals` after it all but
    the last `optional` ones. `spread` tells that other characters stand between the digits before the point."""

    before: str
    within: str
    after: str
    least: int
    decimals: int
    optional: int
    has_point: bool
    groups: bool
    scale: int
    whole: tuple[Token, ...]
    spread: bool


def _places(tokens: tuple[Token, ...]) -> _Places:
    """Commas between digits group thousands, commas after the last divide by thousands."""
    digits = [place for place, token in enumerate(tokens) if token.kind == "digit"] or [len(tokens)]
    point = next((place for place, token in enumerate(tokens) if token == Token("other", ".")), None)
    whole = [place for place in digits if point is None or place < point]
    decimals = [place for place in digits if point is not None and place > point]
    commas = {place for place, token in enumerate(tokens) if token == Token("other", ",")}
    scale = 0
    for last in (whole[-1:], decimals[-1:]):
        while last and last[0] + 1 + scale in commas:
            scale += 1
    optional = 0
    while optional < len(decimals) and tokens[decimals[-1 - optional]].text != "0":
        optional += 1
    start, end = digits[0] if point is None else min(digits[0], point), digits[-1]
    inner = tokens[whole[0] : whole[-1] + 1] if whole else ()
    spread = any(token.kind == "literal" or (token.kind == "other" and token.text != ",") for token in inner)
    return _Places(
        before="".join(map(_literal, tokens[:start])),
        within="" if spread else "".join(token.text for token in tokens[start:end] if token.kind == "literal"),
        after="".join(_literal(token) for place, token in enumerate(tokens) if place > end and place not in commas),
        least=sum(tokens[place].text == "0" for place in whole),
        decimals=len(decimals),
        optional=optional,
        has_point=point is not None,
        groups=any(whole and whole[0] < place < whole[-1] for place in commas),
        scale=scale,
        whole=inner,
        spread=spread,
    )


def _fixed(places: _Places, value: Decimal) -> str:
    scaled = abs(value) / 1000**places.scale if places.scale else abs(value)
    rounded = scaled.quantize(Decimal(1).scaleb(-places.decimals), ROUND_HALF_UP)
    integer, _, fraction = f"{rounded:f}".partition(".")
    integer = integer.lstrip("0").rjust(places.least, "0")
    if places.spread:
        integer = _spread(places.whole, integer)
    elif places.groups:
        integer = _with_commas(integer)
    for _ in range(places.optional):
        if not fraction.endswith("0"):
            break
        fraction = fraction[:-1]
    written = integer + (f".{fraction}" if places.has_point and (fraction or not places.decimals) else "")
    sign = "-" if value < 0 and rounded else ""
    return (sign + places.before + written + places.within + places.after).strip()


def _with_commas(integer: str) -> str:
    head = len(integer) % 3
    parts = [integer[:head]] if head else []
    return ",".join(parts + [integer[place : place + 3] for place in range(head, len(integer), 3)])


def _spread(tokens: tuple[Token, ...], integer: str) -> str:
    """Digits with other characters between them, as in telephone numbers: filled from the right."""
    count = sum(token.kind == "digit" for token in tokens)
    integer = integer.rjust(count)
    head, digits = integer[: len(integer) - count], iter(integer[len(integer) - count :])
    return head + "".join(
        next(digits).strip() if token.kind == "digit" else _literal(token) for token in tokens
    ).lstrip(" .,-")


def _scientific(tokens: tuple[Token, ...], place: int, places: _Places, value: Decimal) -> str:
    mantissa, exponent = tokens[:place], tokens[place + 1 :]
    point = next((at for at, token in enumerate(mantissa) if token == Token("other", ".")), len(mantissa))
    whole = max(sum(token.kind == "digit" for token in mantissa[:point]), 1)
    decimals = sum(token.kind == "digit" for token in mantissa[point:])
    power = value.adjusted() // whole * whole if value else 0
    scaled = (value.scaleb(-power)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    if abs(scaled) >= 10**whole:
        power += whole
        scaled = (value.scaleb(-power)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    width = sum(token.kind == "digit" for token in exponent)
    sign = "-" if power < 0 else "+" if tokens[place].text[1] == "+" else ""
    after = "".join(_literal(token) for token in exponent)
    return f"{_fixed(places, scaled)}E{sign}{abs(power):0{max(width, 1)}d}{after}"


def _is_fraction(tokens: tuple[Token, ...], slash: int) -> bool:
    before, after = tokens[:slash], tokens[slash + 1 :]
    return bool(before) and before[-1].kind == "digit" and bool(after) and (
        after[0].kind == "digit" or after[0].text.isdigit()
    )  # fmt: skip


def _fraction(tokens: tuple[Token, ...], slash: int, value: float) -> str:
    """A whole number and a fraction, or a fraction alone where the code has no place for the whole."""
    below = "".join(token.text for token in tokens[slash + 1 :] if token.kind == "digit" or token.text.isdigit())
    run = slash
    while run and tokens[run - 1].kind == "digit":
        run -= 1
    has_whole = any(token.kind == "digit" for token in tokens[:run])
    exact = Fraction(repr(abs(value))) if "e" not in repr(value) else Fraction(abs(value))
    whole = int(exact) if has_whole else 0
    rest = exact - whole
    if below.strip("0#?").isdigit() or (below.isdigit() and int(below)):
        denominator = int(re.sub(r"[#?]", "", below))
        numerator = int(rest * denominator + Fraction(1, 2))
    else:
        close = rest.limit_denominator(10 ** min(len(below), 4) - 1)
        numerator, denominator = close.numerator, close.denominator
    if numerator == denominator and has_whole:
        whole, numerator = whole + 1, 0
    sign = "-" if value < 0 else ""
    if numerator == 0:
        return sign + str(whole) if whole else "0"
    return sign + (f"{whole} " if whole else "") + f"{numerator}/{denominator}"

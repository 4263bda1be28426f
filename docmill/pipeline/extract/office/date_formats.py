"""Dates and times as spreadsheets show them, by the pieces of a format code."""

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from docmill.pipeline.extract.office.format_codes import Token

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MAX_SERIAL = 2958466
"""The day after the 31st of December 9999."""
_START, _START_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001
_FALSE_DAY = 60
"""The 29th of February 1900, which was none, but has a number in Excel."""


def shown_date(tokens: tuple[Token, ...], value: float, date_1904: bool) -> str | None:
    """The day number as the code shows it; None for numbers that are no date. Days count from the end of 1899, or of
    1903."""
    if not 0 <= value < _MAX_SERIAL:
        return None
    tokens = _minutes_told(tokens)
    decimals = _second_decimals(tokens)
    total = Decimal(repr(value)) * 86400
    seconds = total.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    start = _START_1904 if date_1904 else _START if value >= _FALSE_DAY else _START + timedelta(1)
    try:
        when = start + timedelta(seconds=int(seconds))
    except OverflowError:
        return None
    half = any(token.kind == "ampm" for token in tokens)
    parts, position = [], 0
    while position < len(tokens):
        token = tokens[position]
        if token == Token("other", ".") and decimals and tokens[position + 1 : position + 2] == (Token("digit", "0"),):
            parts.append("." + str(seconds % 1)[2:])
            position += 1 + decimals
            continue
        parts.append(_date_part(token, when, seconds, half))
        position += 1
    return "".join(parts).strip()


def _minutes_told(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """An m beside hours or seconds stands for minutes, elsewhere for months."""
    told = list(tokens)
    fields = [place for place, token in enumerate(told) if token.kind in ("date", "elapsed")]
    for index, place in enumerate(fields):
        token = told[place]
        if token.kind == "date" and token.text.lower() in ("m", "mm"):
            before = told[fields[index - 1]].text.lower().strip("[]")[0] if index else ""
            after = told[fields[index + 1]].text.lower().strip("[]")[0] if index + 1 < len(fields) else ""
            if before == "h" or after == "s":
                told[place] = Token("minutes", token.text)
    return tuple(told)


def _second_decimals(tokens: tuple[Token, ...]) -> int:
    text = "".join(
        token.text if token.kind in ("digit", "other", "date", "elapsed") else " " for token in tokens
    ).lower()
    found = re.search(r"s\]?\.(0+)", text)
    return min(len(found[1]), 6) if found else 0


def _date_part(token: Token, when: datetime, seconds: Decimal, half: bool) -> str:
    width = len(token.text)
    if token.kind == "minutes":
        return f"{when.minute:0{width}d}"
    if token.kind == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[token.text[1].lower()]
        return f"{int(seconds // unit):0{width - 2}d}"
    if token.kind == "ampm":
        return ("AM", "PM")[when.hour >= 12] if width > 3 else ("A", "P")[when.hour >= 12]
    if token.kind != "date":
        return token.text if token.kind in ("literal", "other") else ""
    match token.text[0].lower():
        case "y" | "b":
            return f"{when.year % 100:02d}" if width < 3 else f"{when.year:04d}"
        case "e":
            return f"{when.year:04d}"
        case "g":
            return ""
        case "m":
            name = _MONTHS[when.month - 1]
            return (f"{when.month:0{width}d}", name[:3], name, name[0])[max(min(width, 5) - 2, 0)]
        case "d":
            name = _DAYS[when.weekday()]
            return f"{when.day:0{width}d}" if width < 3 else name[:3] if width == 3 else name
        case "h":
            hour = (when.hour % 12 or 12) if half else when.hour
            return f"{hour:0{min(width, 2)}d}"
        case _:
            return f"{when.second:0{min(width, 2)}d}"

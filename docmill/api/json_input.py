"""JSON from outside, as strict as what stores it: nothing passes here that PostgreSQL would refuse later."""

import json
import math
import re
from typing import Any

from docmill.pipeline.errors import PermanentError

DEPTH = 32
"""How deep objects and lists may lie in each other."""
_DIGITS = 1000
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(raw: str) -> Any:
    """The value of a JSON text. Raises ValueError with a sentence for a text that is none, lies too deep, or holds a
    number or a character that cannot be stored."""
    _check_depth(raw)
    value = json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_short)
    _check_characters(value)
    return value


def parsed_or_refused(raw: str, code: str) -> Any:
    """As `parse_json`, with a PermanentError of this code that says what was wrong."""
    try:
        return parse_json(raw)
    except json.JSONDecodeError as error:
        raise PermanentError(code, f"This is no JSON: {error.msg} at character {error.pos}.") from None
    except ValueError as error:
        raise PermanentError(code, str(error)) from None


def _check_depth(raw: str) -> None:
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(raw):
        if found[0] in "[{":
            depth += 1
            if depth > DEPTH:
                raise ValueError(f"Lists and objects may lie {DEPTH} deep in each other, not more.")
        elif found[0] in "]}":
            depth -= 1


def _check_characters(value: Any) -> None:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValueError("A text holds a NUL or half of a surrogate pair, which cannot be stored.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_characters(key)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"The number {digits[:40]} is larger than can be stored.")
    return number


def _short(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"The number {digits[:40]}… has more than {_DIGITS} digits.")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number.")

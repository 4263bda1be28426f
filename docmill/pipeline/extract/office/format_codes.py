"""Number format codes taken apart (ECMA-376 part 1, 18.8.31)."""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<literal>"[^"]*"?|\\.|!.) | (?P<skip>_.|\*.) | (?P<elapsed>\[(?:h+|m+|s+)\]) | \[(?P<bracket>[^\]]*)\]
    | (?P<ampm>am/pm|a/p|上午/下午) | (?P<general>general|standard)
    | (?P<date>y+|m+|d+|h+|s+|e+(?![+-])|g+|b{2,4}) | (?P<exponent>e[+-]) | (?P<digit>[0#?]) | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+(?:E[+-]?\d+)?)$", re.IGNORECASE)


class Token(NamedTuple):
    """A piece of a code: `kind` is literal, date, elapsed, ampm, minutes, digit, exponent, general, condition, skip or
    other."""

    kind: str
    text: str


def tokens_of(code: str) -> list[Token]:
    """The pieces of a code in order; a currency is text, colours and padding are of the kind skip."""
    return [_token(match) for match in _TOKEN.finditer(code)]


def _token(match: re.Match[str]) -> Token:
    kind, text = match.lastgroup or "other", match[0]
    if kind == "literal":
        return Token(kind, text.strip('"') if text[0] == '"' else text[1:])
    if kind == "bracket":
        return _bracket(match["bracket"])
    return Token(kind, text)


def _bracket(inner: str) -> Token:
    """A currency or locale is text, a condition is kept, a colour says nothing."""
    if inner.startswith("$"):
        return Token("literal", inner[1:].split("-")[0])
    return Token("condition" if CONDITION.match(inner) else "skip", inner)

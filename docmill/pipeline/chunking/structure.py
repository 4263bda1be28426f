"""Structure read off plain text: headings, paragraphs, list items, tables and code, by what Markdown, MediaWiki and
typewriters have in common. Only used for pages whose reader does not tell their blocks."""

import re
from collections.abc import Iterator

from docmill.pipeline.types import Block

_LINE = re.compile(r"[^\n]*\n|[^\n]+$")
_MARKDOWN_HEADING = re.compile(r" {0,3}(#{1,6})\s+\S")
_WIKI_HEADING = re.compile(r"\s*((?:=\s?){1,6})\s*[^=\s][^=]*?\s*((?:=\s?){1,6})\s*$")
_NUMBERED_HEADING = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_].{1,70}$")
_LIST_ITEM = re.compile(r"(\s*)(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_TABLE_RULE = re.compile(r"[\s:|-]++$")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_LONGEST_HEADING = 300
"""Characters of a line that may be a heading."""
_SENTENCE_END = re.compile(r"[.!?,;:。！？]['\")\]]*$")


def find_blocks(text: str) -> Iterator[Block]:
    """The blocks of `text`, in order; what lies between two blocks is white space."""
    lines = [(match.start(), match.end()) for match in _LINE.finditer(text)]
    paragraph: tuple[int, int] | None = None
    in_code = in_table = False
    for number, (start, end) in enumerate(lines):
        line = text[start:end].rstrip()
        block: Block | None = None
        if _FENCE.match(line):
            in_code = not in_code
            block = Block("code", start, start + len(line))
        elif in_code and line:
            block = Block("code", start, start + len(line))
        elif not line:
            in_table = False
        elif _is_row(line):
            ruled = number + 1 < len(lines) and _is_rule(text[slice(*lines[number + 1])].rstrip())
            is_header = (not in_table and ruled) or _is_rule(line)
            block = Block("table_header" if is_header else "table_row", start, start + len(line))
            in_table = True
        elif level := _heading_level(text, lines, number):
            block = Block("heading", start, start + len(line), level)
        elif item := _LIST_ITEM.match(line):
            block = Block("list_item", start, start + len(line), 1 + len(item[1]) // 2)
        if block is None and line:
            paragraph = (paragraph[0] if paragraph else start, start + len(line))
            continue
        if paragraph:
            yield Block("paragraph", *paragraph)
            paragraph = None
        if block:
            yield block
    if paragraph:
        yield Block("paragraph", *paragraph)


def _heading_level(text: str, lines: list[tuple[int, int]], number: int) -> int:
    """1 to 6 for a heading, 0 for another line."""
    line = text[slice(*lines[number])].strip()
    if found := _MARKDOWN_HEADING.match(line):
        return len(found[1])
    if len(line) > _LONGEST_HEADING:
        return 0
    if (found := _WIKI_HEADING.match(line)) and found[1].count("=") == found[2].count("="):
        return found[1].count("=")
    alone = _is_blank(text, lines, number - 1) and _is_blank(text, lines, number + 1)
    if not alone or len(line) > 80 or _SENTENCE_END.search(line):
        return 0
    if found := _NUMBERED_HEADING.match(line):
        return min(found[1].count(".") + 1, 6)
    letters = [character for character in line if character.isalpha()]
    return 2 if len(letters) >= 4 and line.isupper() else 0


def _is_row(line: str) -> bool:
    row = line.strip()
    return len(row) > 1 and row.startswith("|") and row.endswith("|")


def _is_rule(line: str) -> bool:
    return "--" in line and _TABLE_RULE.match(line) is not None


def _is_blank(text: str, lines: list[tuple[int, int]], number: int) -> bool:
    return not 0 <= number < len(lines) or not text[slice(*lines[number])].strip()


def heading_title(text: str) -> str:
    """A heading's words without its marks, on one line."""
    return " ".join(text.strip().strip("#=").replace("= =", " ").strip("= #").split())

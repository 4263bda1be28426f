"""Source code and files of settings: the lines as they stand, with functions, classes and sections as headings."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.text import clean

_MAX_LINE = 400
"""Characters of a line in which a definition is looked for."""
_MAX_LEVEL = 6
_TAB = 4  # columns

_C_WORDS = "if|for|while|switch|return|else|do|catch|using|lock|foreach|throw|new|delete|sizeof|case|await|yield|goto"
_MODIFIERS = (
    "public|private|protected|internal|static|final|abstract|sealed|partial|virtual|override|async|export|default"
    "|declare|open|data|inline|suspend|const|extern|unsafe|readonly|synchronized|implicit|case|fileprivate|func"
)
_TYPES = rf"(?:(?:{_MODIFIERS})\s+)*(?:class|interface|enum|struct|record|trait|object|namespace|module|protocol)\s+\w"
_CALL_WITH_BODY = (
    rf"(?!\s*(?:{_C_WORDS})\b)[\w$][\w$<>\[\]*&:.,~? ]*\([^;{{}}]*\)[^;={{}}()]*\{{\s*(?:[^{{}};]*\}})?\s*$"
)

_DEFINITIONS: Mapping[str, str] = {
    "text/x-python": r"(?:async\s+def|def|class)\s+\w",
    "text/javascript": rf"{_TYPES}|(?:(?:{_MODIFIERS})\s+)*function\b\*?\s*\w|"
    rf"(?:(?:{_MODIFIERS})\s+)*(?:const|let|var)\s+[\w$]+\s*=\s*(?:async\s*)?(?:function\b|\([^()]*\)\s*=>|\w+\s*=>)|{_CALL_WITH_BODY}",
    "text/x-java": rf"@interface\s|{_TYPES}|{_CALL_WITH_BODY}",
    "text/x-kotlin": rf"{_TYPES}|(?:(?:{_MODIFIERS})\s+)*(?:fun|def)\s",
    "text/x-go": r"func\s|type\s+\w+\s+(?:struct|interface)\b",
    "text/x-rust": r"(?:pub(?:\([^)]*\))?\s+)?(?:(?:async|unsafe|const|default|extern\s+\"[^\"]*\")\s+)*"
    r"(?:fn|struct|enum|trait|impl|mod|union|macro_rules!)[\s<]",
    "text/x-c": rf"(?:typedef\s+)?(?:struct|union|enum|class|namespace)\s+\w[^;()]*$|template\s*<|{_CALL_WITH_BODY}|"
    r"(?:[A-Za-z_][\w*&:<>,]*\s+)+[*&]*[\w:~]+\([^;{}]*\)\s*(?:const)?\s*$",
    "text/x-ruby": r"(?:def|class|module)\s+\S",
    "text/x-php": rf"{_TYPES}|(?:(?:{_MODIFIERS})\s+)*function\s",
    "text/x-swift": rf"(?:extension|actor)\s+\w|{_TYPES}|(?:(?:{_MODIFIERS})\s+)*(?:func|init)\b",
    "text/x-sql": r"(?:create|alter)\s+(?:or\s+replace\s+)?(?:\w+\s+){0,3}?(?:table|view|function|procedure|index|"
    r"trigger|type|schema|sequence|database|policy|role)\b",
    "text/x-shellscript": r"function\s+[\w:.-]+|[\w:.-]+\s*\(\)\s*\{?\s*$",
    "text/x-perl": r"(?:sub|package)\s+\w",
    "text/x-lua": r"(?:local\s+)?function\s+[\w.:]+",
    "text/x-r": r"[\w.]+\s*(?:<-|=)\s*function\b",
    "application/yaml": r"[^\s#\-{\[%\"'][^:]*:\s*(?:[|>&!]\S*)?\s*$",
    "application/toml": r"\[{1,2}[^\]]+\]{1,2}\s*(?:#.*)?$",
    "text/x-ini": r"\[[^\]]+\]\s*$",
}
_ALIKE = {"text/x-typescript": "text/javascript", "text/x-csharp": "text/x-java", "text/x-c++": "text/x-c",
          "text/x-scala": "text/x-kotlin"}  # fmt: skip
_TOP_ONLY = frozenset(("application/yaml",))
_ONLY_BEFORE_BODY = re.compile(r"\s*[{:]\s*(?:#.*|//.*)?$")


def read(path: Path, content_type: str) -> Reading:
    """One page: a heading for each definition, the lines between as code."""
    writer = PageWriter()
    write_code(writer, decode(path.read_bytes()), content_type)
    return Reading(None, 1, iter([writer.page(1)]))


def write_code(writer: PageWriter, text: str, content_type: str) -> None:
    """Write source code; a definition within another is a heading one level below."""
    code: list[str] = []
    for line, level in _leveled(clean(text).split("\n"), content_type):
        if level:
            writer.add("code", "\n".join(code))
            code.clear()
            writer.add("heading", _ONLY_BEFORE_BODY.sub("", line.strip()), level)
        else:
            code.append(line)
    writer.add("code", "\n".join(code))


def _leveled(lines: list[str], content_type: str) -> Iterator[tuple[str, int]]:
    """Each line with the level of the definition that it is, 0 for all others."""
    pattern = _DEFINITIONS.get(_ALIKE.get(content_type, content_type))
    definition = re.compile(pattern, re.IGNORECASE if content_type == "text/x-sql" else 0) if pattern else None
    around: list[int] = []  # indentations of the definitions that the line is in
    for line in lines:
        body = line.lstrip()
        indentation = len(line[: len(line) - len(body)].expandtabs(_TAB))
        is_nested_key = content_type in _TOP_ONLY and indentation > 0
        if definition is None or is_nested_key or not body or not definition.match(body[:_MAX_LINE]):
            yield line, 0
            continue
        while around and around[-1] >= indentation:
            around.pop()
        around.append(indentation)
        yield line, min(len(around), _MAX_LEVEL)

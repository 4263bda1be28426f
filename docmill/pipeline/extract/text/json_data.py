"""JSON and JSON Lines: the keys of the top as headings, what is below as indented lines without brackets and quotes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.text import clean

LINES = "application/jsonl"
_MAX_DEPTH = 100


class _Object(list[tuple[str, Any]]):
    """An object's keys and values in order, doubled keys included."""


def read(path: Path, content_type: str) -> Reading:
    """One page. What is no JSON (comments, a cut end) is given as it stands.

    Raises PermanentError `too_complex` for a hundred objects within each other.
    """
    text = clean(decode(path.read_bytes()))
    writer = PageWriter()
    if content_type == LINES:
        for line in text.split("\n"):
            _write_record(writer, line)
    else:
        try:
            _write_document(writer, parsed(text))
        except ValueError:
            writer.add("code", text)
    return Reading(None, 1, iter([writer.page(1)]))


def parsed(text: str) -> Any:
    """The value, with objects as pairs and numbers as they are written. Raises ValueError; PermanentError
    `too_complex`."""
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError as error:
        raise PermanentError("too_complex", "The data has hundreds of objects within each other.") from error


def _write_record(writer: PageWriter, line: str) -> None:
    try:
        value = parsed(line) if line.strip() else ""
    except ValueError:
        value = line
    writer.add("paragraph", "\n".join(_lines(value, 0)))


def _write_document(writer: PageWriter, value: Any) -> None:
    if isinstance(value, _Object):
        for key, inner in value:
            if isinstance(inner, list) and inner:
                writer.add("heading", key, 1)
                _write_inner(writer, inner)
            else:
                writer.add("paragraph", f"{key}: {_scalar(inner)}")
    else:
        _write_inner(writer, value)


def _write_inner(writer: PageWriter, value: Any) -> None:
    """Items of a list are paragraphs of their own when they are objects, else all are lines of one."""
    if isinstance(value, list) and not isinstance(value, _Object) and any(isinstance(item, list) for item in value):
        for item in value:
            writer.add("paragraph", "\n".join(_lines(item, 0)))
    else:
        writer.add("paragraph", "\n".join(_lines(value, 0)))


def _lines(value: Any, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise PermanentError("too_complex", "The data has hundreds of objects within each other.")
    indentation = "  " * depth
    if isinstance(value, _Object):
        for key, inner in value:
            if isinstance(inner, list) and inner:
                yield f"{indentation}{key}:"
                yield from _lines(inner, depth + 1)
            else:
                yield f"{indentation}{key}: {_scalar(inner)}"
    elif isinstance(value, list):
        for item in value:
            first, *others = list(_lines(item, depth + 1)) or [""]
            yield f"{indentation}- {first.strip()}"
            yield from others
    else:
        yield f"{indentation}{_scalar(value)}"


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return ""
        case _:
            return str(value)

"""The extractor process: shuts itself in, then reads one document after the other, as its parent asks.

Started by `process.ExtractorProcess`; requests come as lines of JSON on standard input, frames go out on standard
output. Nothing heavy is imported before a document needs it.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from docmill.pipeline.errors import DocmillError, is_out_of_memory
from docmill.pipeline.extract import read_content, survey_document
from docmill.pipeline.extract.layout.page_content import (
    ContentOf,
    PageContent,
    ReadContent,
    content_frame,
    content_from,
)
from docmill.pipeline.extract.ocr import recognition
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.extract.sandbox.frames import page_frame, write_frame
from docmill.pipeline.extract.sandbox.walls import confine, limit_processor_time

_TRACE = 4000
"""Characters of an exception's trace that the worker is told for its log."""

ReadDocument = Callable[[Path, str, ContentOf | None], Reading]


def main() -> None:
    """Serve documents until standard input ends."""
    settings = json.loads(sys.argv[1])
    frames = _claim_stdout()
    walls = confine(settings["parent"], settings["memory_bytes"])
    module, _, function = settings["reader"].partition(":")
    recognition.use(OcrOptions(**settings["ocr"]))
    read_document: ReadDocument = getattr(import_module(module), function)
    write_frame(frames, {"kind": "ready", "walls": walls})
    for line in sys.stdin.buffer:
        limit_processor_time(settings["processor_seconds"])
        if not _serve(frames, read_document, json.loads(line)):
            return


def _claim_stdout() -> BinaryIO:
    """Keep standard output for frames: whatever libraries print goes to standard error instead."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames


def _serve(frames: BinaryIO, read_document: ReadDocument, request: dict[str, Any]) -> bool:
    """Do what is asked with one document; False when this process had better be replaced."""
    path, content_type = Path(request["path"]), request["content_type"]
    try:
        match request["what"]:
            case "survey":
                found = survey_document(path, content_type)
                last = {"kind": "survey", "pages_total": found.pages_total, "to_ocr": found.to_ocr}
            case "content":
                last = content_frame(read_content(path, content_type, request["number"]))
            case _:
                elsewhere = _Elsewhere(frames, request["elsewhere"]) if request["elsewhere"] else None
                reading = read_document(path, content_type, elsewhere)
                write_frame(frames, {"kind": "header", "title": reading.title, "pages_total": reading.pages_total})
                for page in reading.pages:
                    write_frame(frames, page_frame(page))
                last = {"kind": "end"}
    except DocmillError as error:
        write_frame(frames, {"kind": "error", "code": error.code, "message": error.message})
        return True
    except Exception as error:
        code, trace = _code_for(error), "".join(traceback.format_exception(error))
        write_frame(frames, {"kind": "error", "code": code, "message": "", "trace": trace[-_TRACE:]})
        return code != "memory_limit"
    write_frame(frames, last | {"memory": _resident_bytes()})
    return True


def _code_for(error: Exception) -> str:
    """Parsers give up on what they cannot read with exceptions of every kind; the worker logs which."""
    if is_out_of_memory(error):
        return "memory_limit"
    return "too_complex" if isinstance(error, RecursionError) else "corrupt"


class _Elsewhere:
    """Pages that others may read: the parent is asked for each, and shown what was read here instead."""

    def __init__(self, frames: BinaryIO, numbers: list[int]) -> None:
        self._frames = frames
        self._numbers = frozenset(numbers)

    def __call__(self, number: int, read: ReadContent) -> PageContent:
        if number not in self._numbers:
            return read()
        write_frame(self._frames, {"kind": "ask", "number": number})
        answer = json.loads(sys.stdin.buffer.readline())
        if answer is not None:
            return content_from(answer)
        content = read()
        write_frame(self._frames, content_frame(content))
        return content


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

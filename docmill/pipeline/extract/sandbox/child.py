"""The extractor process: shuts itself in, then reads one document after the other, as its worker asks.

Forked by the zygote; requests come as lines of JSON on standard input, frames go out on a pipe of their own.
"""

import json
import os
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from docmill.pipeline.errors import DocmillError, is_out_of_memory
from docmill.pipeline.extract.layout.page_content import PageContent, ReadContent, content_frame, content_from
from docmill.pipeline.extract.ocr import recognition
from docmill.pipeline.extract.sandbox.frames import page_frame, write_frame
from docmill.pipeline.extract.sandbox.walls import Walls, confine, limit_memory, limit_processor_time

_TRACE = 4000
"""Characters of an exception's trace that the worker is told for its log."""


def run(pipes: list[int], request: dict[str, Any], settings: dict[str, Any], walls: Walls) -> None:
    """Serve documents until the first of the pipes (requests, frames, standard error) ends."""
    requests, frames = _take_over(pipes)
    os.chdir(request["writable"])
    os.environ["HOME"] = os.environ["TMPDIR"] = request["writable"]
    extractor = _Extractor(requests, frames, import_module(settings["reader"]))
    confine(
        walls,
        memory_bytes=settings["memory_bytes"],
        reader=settings["reader"],
        readable=Path(request["readable"]),
        writable=Path(request["writable"]),
        user=request["user"],
        programs=settings["programs"],
    )
    write_frame(frames, {"kind": "ready", "standing": walls.standing, "missing": walls.missing})
    for line in requests:
        document = json.loads(line)
        limit_processor_time(settings["processor_seconds"])
        limit_memory(document["memory_bytes"])
        if not extractor.serve(document):
            return


def _take_over(pipes: list[int]) -> tuple[BinaryIO, BinaryIO]:
    """Requests and frames. Whatever libraries print goes to standard error."""
    requests, frames, errors = pipes
    os.dup2(requests, 0)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    os.close(requests)
    os.close(errors)
    return os.fdopen(0, "rb", closefd=False), os.fdopen(frames, "wb")


class _Extractor:
    """`reader` is a module with the functions of `docmill.pipeline.extract`."""

    def __init__(self, requests: BinaryIO, frames: BinaryIO, reader: ModuleType) -> None:
        self._requests = requests
        self._frames = frames
        self._reader = reader
        # Behind the walls there is no /proc to open it in.
        self._memory = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def serve(self, request: dict[str, Any]) -> bool:
        """Do what is asked with one document; False when this process had better be replaced."""
        try:
            last = self._answer(request)
        except DocmillError as error:
            write_frame(self._frames, {"kind": "error", "code": error.code, "message": error.message})
            return True
        except Exception as error:
            code, trace = _code_for(error), "".join(traceback.format_exception(error))
            write_frame(self._frames, {"kind": "error", "code": code, "message": "", "trace": trace[-_TRACE:]})
            return code != "memory_limit"
        write_frame(self._frames, last | {"memory": self._resident_bytes(), "used_ocr": recognition.is_loaded()})
        return True

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read what is asked for; the last frame of the answer."""
        path, content_type = Path(request["path"]), request["content_type"]
        match request["what"]:
            case "survey":
                found = self._reader.survey_document(path, content_type)
                return {"kind": "survey", "pages_total": found.pages_total, "to_ocr": found.to_ocr}
            case "content":
                return content_frame(self._reader.read_content(path, content_type, request["number"]))
        numbers = frozenset(request["elsewhere"])
        elsewhere = _Elsewhere(self._requests, self._frames, numbers) if numbers else None
        reading = self._reader.read_document(path, content_type, elsewhere)
        write_frame(self._frames, {"kind": "header", "title": reading.title, "pages_total": reading.pages_total})
        for page in reading.pages:
            write_frame(self._frames, page_frame(page))
        return {"kind": "end"}

    def _resident_bytes(self) -> int:
        return int(os.pread(self._memory, 200, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _code_for(error: Exception) -> str:
    """Parsers give up on what they cannot read with exceptions of every kind; the worker logs which."""
    if is_out_of_memory(error):
        return "memory_limit"
    return "too_complex" if isinstance(error, RecursionError) else "corrupt"


class _Elsewhere:
    """Pages that others may read: the parent is asked for each, and shown what was read here instead."""

    def __init__(self, requests: BinaryIO, frames: BinaryIO, numbers: frozenset[int]) -> None:
        self._requests = requests
        self._frames = frames
        self._numbers = numbers

    def __call__(self, number: int, read: ReadContent) -> PageContent:
        if number not in self._numbers:
            return read()
        write_frame(self._frames, {"kind": "ask", "number": number})
        answer = json.loads(self._requests.readline())
        if answer is not None:
            return content_from(answer)
        content = read()
        write_frame(self._frames, content_frame(content))
        return content

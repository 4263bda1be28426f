"""The box: a separate process that reads documents, so that a hostile or broken one harms nothing else.

The process lives as long as its worker child and reads one document after the other. A crash, a hang, too much memory
or too much output ends the process and fails that document; the next one gets a new process. See
docs/decisions/0020-the-box.md for what the walls are made of.
"""

import contextlib
import json
import logging
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from docmill.pipeline.errors import CATALOGUE, DocmillError, PermanentError, TransientError
from docmill.pipeline.extract.frames import LENGTH, BadFrameError, page_from, parse_frame
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.extract.workspace import Workspace
from docmill.pipeline.types import Page

_log = logging.getLogger("docmill.extract")
_STDERR_TAIL = 8192
_START_SECONDS = 60.0
_ASK_EVERY = 1.0
_PASSED_ON = ("DOCMILL_OCR", "DOCMILL_OCR_THREADS", "DOCMILL_OCR_LANGUAGES")
_REPORTED = {"corrupt", "encrypted", "unsupported_type", "too_many_pages", "too_much_text", "memory_limit"}
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Out of memory", b"cannot allocate memory")

GoOn = Callable[[], object]
"""Called about once a second while the extractor is waited for; it may raise, which ends the reading."""


def _go_on_always() -> None:
    """Nothing ends the reading but the document itself."""


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """How much one document may take.

    Seconds count only while the worker waits for the extractor, so a document is never blamed for a slow embedder.
    `memory_bytes` is private memory of the process (RLIMIT_DATA); it is replaced after a document when it keeps more
    than `keep_memory_bytes` resident or has read `keep_documents`.
    """

    page_seconds: float = 180.0
    total_seconds: float = 7200.0
    memory_bytes: int = 2 << 30
    max_pages: int = 5000
    max_characters: int = 20_000_000
    keep_memory_bytes: int = 1 << 30
    keep_documents: int = 200


class ExtractorProcess:
    """A long-lived extractor, started when first needed, replaced when it misbehaves or grows.

    For one thread and one document at a time: the process dies with the thread that started it.
    """

    def __init__(
        self, limits: BoxLimits | None = None, *, reader: str = "docmill.pipeline.extract:read_document"
    ) -> None:
        """`reader` names the function (`module:name`) that reads documents in there."""
        self.limits = limits or BoxLimits()
        self._reader = reader
        self._running: _Running | None = None

    def start(self) -> tuple[str, ...]:
        """Start the process if it does not run; the names of the walls that stand around it."""
        return self._process().walls

    def open(
        self,
        path: Path,
        content_type: str,
        elsewhere: "Elsewhere | None" = None,
        go_on: GoOn = _go_on_always,
    ) -> "Extraction":
        """Begin to read the file at `path`; `elsewhere` knows pages that others may read.

        Raises PermanentError: `corrupt`, `encrypted`, `too_many_pages`, `memory_limit`, `timeout`,
        `extractor_crashed`; TransientError `extractor_crashed` when the process was killed from outside; and what
        `go_on` raises.
        """
        extraction = self._ask(path, content_type, go_on, elsewhere, what="pages")
        try:
            extraction.wait_for_header()
        except BaseException:
            extraction.close()
            raise
        return extraction

    def survey(self, path: Path, content_type: str, go_on: GoOn = _go_on_always) -> Survey:
        """Which pages need OCR, as far as a quick look tells. Raises as `open` does."""
        extraction = self._ask(path, content_type, go_on, what="survey")
        try:
            return extraction.wait_for_survey()
        finally:
            extraction.close()

    def content(self, path: Path, content_type: str, number: int, go_on: GoOn = _go_on_always) -> dict[str, Any]:
        """The content of one page, by its number: a frame for the process that lays the document out. Raises as `open`
        does."""
        extraction = self._ask(path, content_type, go_on, what="content", number=number)
        try:
            return extraction.wait_for_content()
        finally:
            extraction.close()

    def _ask(
        self, path: Path, content_type: str, go_on: GoOn, elsewhere: "Elsewhere | None" = None, **request: Any
    ) -> "Extraction":
        process = self._process()
        numbers = sorted(elsewhere.numbers) if elsewhere else []
        request |= {"path": str(path.absolute()), "content_type": content_type, "elsewhere": numbers}
        process.send(request, time.monotonic() + self.limits.page_seconds)
        return Extraction(self, process, go_on, elsewhere)

    def close(self) -> None:
        """End the process and remove what it left on disk."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def _process(self) -> "_Running":
        if self._running is not None and not self._running.is_usable(self.limits):
            self.close()
        if self._running is None:
            self._running = _Running(self.limits, self._reader)
        return self._running


class Elsewhere(Protocol):
    """Pages that others may read while a document is read here. `numbers` are theirs, from 1."""

    @property
    def numbers(self) -> Collection[int]: ...

    def content(self, number: int) -> dict[str, Any] | None:
        """The page's content (see `ExtractorProcess.content`), waited for while another reads it; None when it is to
        be read here."""

    def keep(self, number: int, content: dict[str, Any]) -> None:
        """Told what was read here."""


class Extraction:
    """A document being read: iterate over its pages, in order, once. Leaving the context early ends the extractor.

    `title` and `pages_total` (None where unknown) are the whole document's. Iterating raises as
    `ExtractorProcess.open` does, and PermanentError `too_much_text`.
    """

    def __init__(
        self, owner: ExtractorProcess, process: "_Running", go_on: GoOn, elsewhere: Elsewhere | None = None
    ) -> None:
        self.title: str | None = None
        self.pages_total: int | None = None
        self._owner = owner
        self._process = process
        self._go_on = go_on
        self._elsewhere = elsewhere
        self._asked: set[int] = set()
        self._limits = owner.limits
        self._waited = 0.0
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the extractor back; it is ended unless the document was read to its end."""
        if not self._finished:
            self._finished = True
            self._owner.close()

    def wait_for_header(self) -> None:
        """Take in title and number of pages."""
        header = self._next("header")
        title, total = header.get("title"), header.get("pages_total")
        self.title = title if isinstance(title, str) else None
        self.pages_total = total if isinstance(total, int) else None
        if (self.pages_total or 0) > self._limits.max_pages:
            raise _too_many_pages(self._limits.max_pages)

    def wait_for_survey(self) -> Survey:
        """Take in the survey, the one frame of its answer."""
        frame = self._next("survey")
        total, numbers = frame.get("pages_total"), frame.get("to_ocr")
        if not isinstance(total, int) or not isinstance(numbers, list) or not set(numbers) <= set(range(1, total + 1)):
            raise self._crashed("a survey without page numbers")
        if total > self._limits.max_pages:
            raise _too_many_pages(self._limits.max_pages)
        self._finish(frame)
        return Survey(total, sorted(set(numbers)))

    def wait_for_content(self) -> dict[str, Any]:
        """Take in one page's content, the one frame of its answer."""
        frame = self._next("content")
        if frame["kind"] == "end":
            raise self._crashed("no content")
        self._finish(frame)
        return frame

    def __iter__(self) -> Iterator[Page]:
        pages = characters = 0
        while not self._finished:
            frame = self._next("page", "ask", "content")
            if frame["kind"] == "end":
                self._finish(frame)
                return
            if frame["kind"] != "page":
                self._consult(frame)
                continue
            try:
                page = page_from(frame)
            except BadFrameError as error:
                raise self._crashed(str(error)) from error
            pages += 1
            characters += len(page.text)
            if pages > self._limits.max_pages:
                raise _too_many_pages(self._limits.max_pages)
            if characters > self._limits.max_characters:
                raise PermanentError("too_much_text")
            yield page

    def _consult(self, frame: dict[str, Any]) -> None:
        """Answer the extractor's question for a page that others may read, or pass on what it read itself."""
        number: Any = frame.get("number")
        is_content = frame["kind"] == "content"
        if self._elsewhere is None or number not in self._elsewhere.numbers or (number in self._asked) != is_content:
            raise self._crashed("a question out of order")
        if is_content:
            self._elsewhere.keep(number, frame)
            return
        self._asked.add(number)
        answer = self._elsewhere.content(number)
        self._process.send(answer, time.monotonic() + self._limits.page_seconds)

    def _finish(self, frame: dict[str, Any]) -> None:
        self._process.finish_document(frame)
        self._finished = True

    def _next(self, *kinds: str) -> dict[str, Any]:
        """The next frame, of these kinds or the end; errors are raised."""
        try:
            frame = self._awaited_frame()
        except BadFrameError as error:
            raise self._crashed(str(error)) from error
        if frame["kind"] == "error":
            self._finish(frame)
            raise self._reported(frame)
        if frame["kind"] not in (*kinds, "end"):
            raise self._crashed("a frame out of order")
        return frame

    def _awaited_frame(self) -> dict[str, Any]:
        """The next frame, asking once a second whether to go on. The time that asking takes is not the extractor's."""
        left = min(self._limits.page_seconds, self._limits.total_seconds - self._waited)
        while True:
            began = time.monotonic()
            frame = self._process.next_frame(began + min(left, _ASK_EVERY))
            took = time.monotonic() - began
            self._waited += took
            left -= took
            if frame is not None:
                return frame
            if left <= 0:
                raise _timed_out()
            self._go_on()

    def _reported(self, frame: dict[str, Any]) -> DocmillError:
        code, message = frame.get("code"), frame.get("message")
        if code not in _REPORTED:
            return self._crashed("an exception")
        return PermanentError(code, message if isinstance(message, str) and message else None)

    def _crashed(self, why: str) -> PermanentError:
        return self._process.crashed(why)


class _Running:
    """One extractor process and its pipes."""

    def __init__(self, limits: BoxLimits, reader: str) -> None:
        self._workspace = Workspace()
        settings = {
            "parent": os.getpid(),
            "memory_bytes": limits.memory_bytes,
            "processor_seconds": limits.total_seconds + limits.page_seconds,
            "reader": reader,
        }
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "docmill.pipeline.extract.child", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._workspace.path,
            env=_environment(self._workspace.path),
            close_fds=True,
            start_new_session=True,
        )
        self._thread = threading.get_ident()
        self._documents = 0
        self._memory = 0
        self._stale = False
        self._buffer = bytearray()
        self._stderr = bytearray()
        self._frame_bytes = 4 * limits.max_characters + (1 << 20)
        self._selector = selectors.DefaultSelector()
        assert self._popen.stdin is not None
        os.set_blocking(self._popen.stdin.fileno(), False)
        for stream in (self._popen.stdout, self._popen.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        try:
            ready = self.next_frame(time.monotonic() + _START_SECONDS)
            if ready is None:
                raise _timed_out()
        except BaseException:
            self.end()
            raise
        self.walls = tuple(str(wall) for wall in ready.get("walls", ()))

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_usable(self, limits: BoxLimits) -> bool:
        """Whether the next document may go to this process."""
        return (
            not self._stale
            and self._popen.poll() is None
            and self._thread == threading.get_ident()
            and self._documents < limits.keep_documents
            and self._memory <= limits.keep_memory_bytes
        )

    def send(self, message: dict[str, Any] | None, deadline: float) -> None:
        """Send a request or an answer until `deadline` (monotonic seconds), for a process that does not listen must not
        keep us here; one that has died meanwhile is noticed at the next frame."""
        assert self._popen.stdin is not None
        line, pipe = memoryview(json.dumps(message).encode() + b"\n"), self._popen.stdin.fileno()
        with contextlib.suppress(BrokenPipeError):
            while line:
                _, is_writable, _ = select.select([], [pipe], [], max(deadline - time.monotonic(), 0.0))
                if not is_writable:
                    raise _timed_out()
                line = line[os.write(pipe, line) :]

    def finish_document(self, frame: dict[str, Any]) -> None:
        """Take note of a document's last frame."""
        self._documents += 1
        memory = frame.get("memory", 0)
        self._memory = memory if isinstance(memory, int) else 0
        self._stale = frame.get("code") in ("memory_limit", "extractor_crashed")

    def next_frame(self, deadline: float) -> dict[str, Any] | None:
        """The next frame, waited for until `deadline` (monotonic seconds); None when it has not come by then."""
        while True:
            if len(self._buffer) >= LENGTH.size:
                (length,) = LENGTH.unpack_from(self._buffer)
                if length > self._frame_bytes:
                    raise PermanentError("too_much_text")
                end = LENGTH.size + length
                if len(self._buffer) >= end:
                    data = bytes(self._buffer[LENGTH.size : end])
                    del self._buffer[:end]
                    return parse_frame(data)
            # Asked for each time: a process that floods standard error without sending frames must not keep us here.
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._receive(left)

    def _receive(self, seconds: float) -> None:
        """Take in what the process writes within so many seconds, frames and standard error; raise when it ended."""
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, 1 << 18)
            if key.fileobj is self._popen.stderr:
                self._stderr += data
                del self._stderr[:-_STDERR_TAIL]
                if not data:
                    self._selector.unregister(key.fileobj)
            elif data:
                self._buffer += data
            else:
                raise self._died()

    def _died(self) -> DocmillError:
        self._drain_stderr()
        _, status, usage = _wait(self._popen)
        self._popen.returncode = code = os.waitstatus_to_exitcode(status)
        _log.warning("The extractor ended with %s: %s", code, self._stderr.decode("utf-8", "replace"))
        if any(mark in self._stderr for mark in _OUT_OF_MEMORY):
            return PermanentError("memory_limit")
        if code == -signal.SIGXCPU:
            return PermanentError("timeout")
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return TransientError("extractor_crashed", f"The extractor was killed at {usage.ru_maxrss >> 10} MB.")
        return PermanentError("extractor_crashed")

    def _drain_stderr(self) -> None:
        assert self._popen.stderr is not None
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._popen.stderr.fileno(), 1 << 16):
                self._stderr += data
                del self._stderr[:-_STDERR_TAIL]

    def crashed(self, why: str) -> PermanentError:
        """The error for a process that broke the rules; it is not used again."""
        self._stale = True
        self._drain_stderr()
        _log.warning("The extractor failed with %s: %s", why, self._stderr.decode("utf-8", "replace"))
        return PermanentError("extractor_crashed")

    def end(self) -> None:
        """Kill the process, wait for its end, close the pipes, remove its files."""
        self._selector.close()
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._workspace.remove()


def _wait(popen: "subprocess.Popen[bytes]") -> Any:
    return os.wait4(popen.pid, 0)


def _timed_out() -> PermanentError:
    return PermanentError("timeout", "Reading the document took longer than is allowed; split it or simplify it.")


def _too_many_pages(limit: int) -> PermanentError:
    return PermanentError(
        "too_many_pages", f"At most {limit} pages are accepted. {CATALOGUE['too_many_pages'].message}"
    )


def _environment(workspace: Path) -> dict[str, str]:
    """A clean environment: no secrets, one thread a library, and the choice of the OCR engine."""
    chosen = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return chosen | {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(workspace),
        "TMPDIR": str(workspace),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "TOKIO_WORKER_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }

"""A document being read in the sandbox, as its worker sees it: pages in order, errors by their codes."""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from docmill.pipeline.errors import CATALOGUE, DocmillError, PermanentError
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.extract.sandbox.frames import BadFrameError, page_from
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.running import RunningExtractor, timed_out
from docmill.pipeline.types import Page

_log = logging.getLogger("docmill.extract")
_ASK_EVERY = 1.0
"""Seconds between two questions whether to go on."""
_REPORTED = {
    "corrupt",
    "encrypted",
    "memory_limit",
    "too_complex",
    "too_many_pages",
    "too_much_text",
    "unsupported_type",
}
"""Codes that the extractor may give; any other is a crash."""

GoOn = Callable[[], object]
"""Called about once a second while the extractor is waited for; it may raise, which ends the reading."""


class Elsewhere(Protocol):
    """Pages that others may read while a document is read here. `numbers` are theirs, from 1."""

    @property
    def numbers(self) -> Collection[int]: ...

    def content(self, number: int) -> dict[str, Any] | None:
        """The page's content (see `ExtractorProcess.content`), waited for while another reads it; None when it is to
        be read here."""

    def keep(self, number: int, content: dict[str, Any]) -> None:
        """Told what was read here."""


class Owner(Protocol):
    """Who lends the extractor out, and ends it."""

    limits: SandboxLimits

    def end_process(self) -> None: ...


class Extraction:
    """A document being read: iterate over its pages, in order, once. Leaving the context early ends the extractor.

    `title` and `pages_total` (None where unknown) are the whole document's. Iterating raises as
    `ExtractorProcess.open` does, and PermanentError `too_much_text`.
    """

    def __init__(
        self, owner: Owner, process: RunningExtractor, go_on: GoOn, elsewhere: Elsewhere | None = None
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
            self._owner.end_process()

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
                raise timed_out()
            self._go_on()

    def _reported(self, frame: dict[str, Any]) -> DocmillError:
        code, message = frame.get("code"), frame.get("message")
        if code not in _REPORTED:
            return self._crashed("an exception")
        if isinstance(trace := frame.get("trace"), str):
            _log.warning("The document is %s to its reader: %s", code, trace)
        if code == "memory_limit":
            return self._process.out_of_memory()
        return PermanentError(code, message if isinstance(message, str) and message else None)

    def _crashed(self, why: str) -> PermanentError:
        return self._process.crashed(why)


def _too_many_pages(limit: int) -> PermanentError:
    return PermanentError(
        "too_many_pages", f"At most {limit} pages are accepted. {CATALOGUE['too_many_pages'].message}"
    )

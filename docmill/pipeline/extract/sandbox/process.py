"""The sandbox: a separate process that reads documents, so that a hostile or broken one harms nothing else.

The process lives as long as its worker child and reads one document after the other. A crash, a hang, too much memory
or too much output ends the process and fails that document; the next one gets a new process. See
docs/decisions/0020-the-sandbox.md for what the walls are made of.
"""

import time
from pathlib import Path
from typing import Any

from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.extract.sandbox.extraction import Elsewhere, Extraction, GoOn
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.running import RunningExtractor


def _go_on_always() -> None:
    """Nothing ends the reading but the document itself."""


class ExtractorProcess:
    """A long-lived extractor, started when first needed, replaced when it misbehaves or grows.

    For one thread and one document at a time: the process dies with the thread that started it.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        ocr: OcrOptions | None = None,
        *,
        reader: str = "docmill.pipeline.extract:read_document",
    ) -> None:
        """`reader` names the function (`module:name`) that reads documents in there."""
        self.limits = limits or SandboxLimits()
        self._ocr = ocr or OcrOptions()
        self._reader = reader
        self._running: RunningExtractor | None = None

    def start(self) -> tuple[str, ...]:
        """Start the process if it does not run; the names of the walls that stand around it."""
        return self._process().walls

    def open(
        self,
        path: Path,
        content_type: str,
        elsewhere: Elsewhere | None = None,
        go_on: GoOn = _go_on_always,
    ) -> Extraction:
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
        self, path: Path, content_type: str, go_on: GoOn, elsewhere: Elsewhere | None = None, **request: Any
    ) -> Extraction:
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

    def _process(self) -> RunningExtractor:
        if self._running is not None and not self._running.is_usable(self.limits):
            self.close()
        if self._running is None:
            self._running = RunningExtractor(self.limits, self._reader, self._ocr)
        return self._running

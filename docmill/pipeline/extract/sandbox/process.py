"""The sandbox: a separate process that reads documents, so that a hostile or broken one harms nothing else.

The process reads one document after the other of the same tenant. Another tenant, a crash, a hang, too much memory or
too much output ends it, and the next document gets a new one, forked by the worker's zygote in milliseconds. See
docs/decisions/0020-the-sandbox.md for what the walls are made of.
"""

import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import DocmillError
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.reading import Survey
from docmill.pipeline.extract.sandbox.extraction import Elsewhere, Extraction, GoOn
from docmill.pipeline.extract.sandbox.launching import Needs, Zygote
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.running import RunningExtractor
from docmill.pipeline.extract.sandbox.walls import Walls


def _go_on_always() -> None:
    """Nothing ends the reading but the document itself."""


class ExtractorProcess:
    """An extractor, started when first needed, replaced when the tenant changes and when it misbehaves or grows.

    For one thread and one document at a time: its processes die with the thread that started them.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        ocr: OcrOptions | None = None,
        *,
        reader: str = "docmill.pipeline.extract",
        walls_required: bool = False,
    ) -> None:
        """`reader` names the module that reads documents in there; `walls_required` has documents refused where the
        system does not allow the essential walls."""
        self.limits = limits or SandboxLimits()
        self._ocr = ocr or OcrOptions()
        self._reader = reader
        self._walls_required = walls_required
        self._needs = Needs()
        self._zygote: Zygote | None = None
        self._running: RunningExtractor | None = None

    def start(self, tenant: Hashable = None) -> Walls:
        """Start the process if it does not run; the walls around it."""
        return self._process(tenant).walls

    @property
    def pid(self) -> int | None:
        """The id of the process that reads documents now."""
        return self._running.pid if self._running else None

    def open(
        self,
        path: Path,
        content_type: str,
        elsewhere: Elsewhere | None = None,
        go_on: GoOn = _go_on_always,
        *,
        tenant: Hashable = None,
    ) -> Extraction:
        """Begin to read the file at `path`; `elsewhere` knows pages that others may read. The process has read nothing
        but files of the same `tenant`.

        Raises PermanentError: `corrupt`, `encrypted`, `too_complex`, `too_many_pages`, `memory_limit`, `timeout`,
        `extractor_crashed`; TransientError `extractor_crashed` when the process was killed from outside; DocmillError
        `sandbox_incomplete` where a wall that is required does not stand; and what `go_on` raises.
        """
        extraction = self._ask(path, content_type, go_on, tenant, elsewhere, what="pages")
        try:
            extraction.wait_for_header()
        except BaseException:
            extraction.close()
            raise
        return extraction

    def survey(self, path: Path, content_type: str, go_on: GoOn = _go_on_always, *, tenant: Hashable = None) -> Survey:
        """Which pages need OCR, as far as a quick look tells. Raises as `open` does."""
        extraction = self._ask(path, content_type, go_on, tenant, what="survey")
        try:
            return extraction.wait_for_survey()
        finally:
            extraction.close()

    def content(
        self, path: Path, content_type: str, number: int, go_on: GoOn = _go_on_always, *, tenant: Hashable = None
    ) -> dict[str, Any]:
        """The content of one page, by its number: a frame for the process that lays the document out. Raises as `open`
        does."""
        extraction = self._ask(path, content_type, go_on, tenant, what="content", number=number)
        try:
            return extraction.wait_for_content()
        finally:
            extraction.close()

    def _ask(
        self,
        path: Path,
        content_type: str,
        go_on: GoOn,
        tenant: Hashable,
        elsewhere: Elsewhere | None = None,
        **request: Any,
    ) -> Extraction:
        process = self._process(tenant)
        self._needs.types.add(content_type)
        numbers = sorted(elsewhere.numbers) if elsewhere else []
        memory = self.limits.memory_for(path.stat().st_size)
        request |= {
            "path": str(process.lend(path)),
            "content_type": content_type,
            "elsewhere": numbers,
            "memory_bytes": memory,
        }
        process.begin_document(memory)
        process.send(request, time.monotonic() + self.limits.page_seconds)
        return Extraction(self, process, go_on, elsewhere)

    def end_process(self) -> None:
        """End the process and remove what it left on disk; another is started when it is needed."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def close(self) -> None:
        """End all processes and remove what they left on disk."""
        self.end_process()
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def _process(self, tenant: Hashable) -> RunningExtractor:
        if self._zygote is not None and not self._zygote.is_usable():
            self.close()
        if self._running is not None and not self._running.is_usable(tenant):
            self.end_process()
        if self._running is None:
            self._zygote = self._zygote or Zygote(self.limits, self._reader, self._ocr)
            self._running = RunningExtractor(self._zygote, self.limits, tenant, self._needs)
            if self._walls_required:
                self._refuse_without_walls(self._running)
        return self._running

    def _refuse_without_walls(self, process: RunningExtractor) -> None:
        if missing := process.walls.sentences(essential_only=True):
            self.end_process()
            raise DocmillError("sandbox_incomplete", "\n".join(missing))

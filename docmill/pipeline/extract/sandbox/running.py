"""One running extractor and its pipes: requests go in as lines of JSON, frames come out."""

import contextlib
import json
import logging
import os
import select
import selectors
import signal
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import DocmillError, PermanentError, TransientError
from docmill.pipeline.extract.sandbox.frames import LENGTH, parse_frame
from docmill.pipeline.extract.sandbox.launching import Needs, Zygote
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.walls import Walls
from docmill.pipeline.extract.sandbox.workspace import Workspace

_log = logging.getLogger("docmill.extract")
_STDERR_TAIL = 8192
"""Bytes of standard error that are kept for the log."""
_START_SECONDS = 60.0
_END_SECONDS = 1.0
"""For an extractor that closed its pipes to end by itself, so that the kernel tells why."""
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Out of memory", b"cannot allocate memory")
_PANIC = b"panicked at"
"""What parsers in Rust say when they meet what they did not expect, before they end the process."""
_NEARLY_ALL = 0.75
"""Of the memory limit: native code that is refused more often aborts, or writes to address 0."""
_FAULTS = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP)


class RunningExtractor:
    """One extractor, which reads documents of one tenant."""

    def __init__(self, zygote: Zygote, limits: SandboxLimits, tenant: Hashable, needs: Needs) -> None:
        self.tenant = tenant
        self.needs = needs
        self._zygote = zygote
        self._limits = limits
        self._workspace = Workspace()
        self._memory_bytes = limits.memory_bytes
        self._documents = 0
        self._memory = 0
        self._stale = False
        self._has_ended = False
        self._buffer = bytearray()
        self._stderr = bytearray()
        self._frame_bytes = 4 * limits.max_characters + (1 << 20)
        self._selector = selectors.DefaultSelector()
        their_requests, self._requests = os.pipe()
        self._frames, their_frames = os.pipe()
        self._errors, their_errors = os.pipe()
        pipes = their_requests, their_frames, their_errors
        try:
            workspace = self._workspace
            self._handle = zygote.start(workspace.readable, workspace.writable, workspace.user, needs, pipes)
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for pipe in pipes:
                os.close(pipe)
        os.set_blocking(self._requests, False)
        for pipe in (self._frames, self._errors):
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_READ)
        try:
            ready = self.next_frame(time.monotonic() + _START_SECONDS)
            if ready is None:
                raise timed_out()
        except BaseException:
            self.end()
            raise
        self.walls = Walls(ready["standing"], ready["missing"])

    @property
    def pid(self) -> int:
        """The process id, -1 when it has ended."""
        for line in Path(f"/proc/self/fdinfo/{self._handle}").read_text().splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        return -1

    def is_usable(self, tenant: Hashable) -> bool:
        """Whether this tenant's next document may go to this process. What it says unasked makes it unusable."""
        said_something, _, _ = select.select([self._frames, self._handle], [], [], 0)
        return (
            not self._stale
            and not self._buffer
            and not said_something
            and self.tenant == tenant
            and self._documents < self._limits.keep_documents
            and self._memory <= self._limits.keep_memory_bytes
        )

    def lend(self, path: Path) -> Path:
        """Put a file where the extractor may read it; the path it has there."""
        return self._workspace.lend(path)

    def send(self, message: dict[str, Any] | None, deadline: float) -> None:
        """Send a request or an answer until `deadline` (monotonic seconds), for a process that does not listen must not
        keep us here; one that has died meanwhile is noticed at the next frame."""
        line = memoryview(json.dumps(message).encode() + b"\n")
        with contextlib.suppress(BrokenPipeError):
            while line:
                _, is_writable, _ = select.select([], [self._requests], [], max(deadline - time.monotonic(), 0.0))
                if not is_writable:
                    raise timed_out()
                line = line[os.write(self._requests, line) :]

    def begin_document(self, memory_bytes: int) -> None:
        """The next document may take so much memory."""
        self._memory_bytes = memory_bytes

    def out_of_memory(self) -> PermanentError:
        """The error for a document that needs more than it may take: a small one is not just large."""
        return PermanentError("too_complex" if self._memory_bytes < self._limits.memory_bytes else "memory_limit")

    def finish_document(self, frame: dict[str, Any]) -> None:
        """Take note of a document's last frame."""
        self._documents += 1
        memory = frame.get("memory", 0)
        self._memory = memory if isinstance(memory, int) else 0
        self.needs.ocr |= frame.get("used_ocr") is True
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
            if key.fileobj == self._errors:
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
        self._stale = True
        ended = self._zygote.end(_END_SECONDS)
        self._has_ended = True
        _log.warning("The extractor ended with %s: %s", ended.code, self._stderr.decode("utf-8", "replace"))
        if any(mark in self._stderr for mark in _OUT_OF_MEMORY):
            return self.out_of_memory()
        if -ended.code in _FAULTS and ended.rss > _NEARLY_ALL * self._memory_bytes:
            return self.out_of_memory()
        if _PANIC in self._stderr:
            return PermanentError("corrupt")
        if ended.code == -signal.SIGXCPU:
            return PermanentError("timeout")
        if ended.code in (-signal.SIGKILL, -signal.SIGTERM) and not ended.was_killed:
            return TransientError("extractor_crashed", f"The extractor was killed at {ended.rss >> 20} MB.")
        return PermanentError("extractor_crashed")

    def _drain_stderr(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._errors, 1 << 16):
                self._stderr += data
                del self._stderr[:-_STDERR_TAIL]

    def crashed(self, why: str) -> PermanentError:
        """The error for a process that broke the rules; it is not used again."""
        self._stale = True
        self._drain_stderr()
        _log.warning("The extractor failed with %s: %s", why, self._stderr.decode("utf-8", "replace"))
        return PermanentError("extractor_crashed")

    def end(self) -> None:
        """Kill the process and what it started, close the pipes, remove its files."""
        self._selector.close()
        if not self._has_ended:
            with contextlib.suppress(TransientError):
                self._zygote.end(0.0)
        os.close(self._handle)
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._requests, self._frames, self._errors):
            os.close(pipe)
        self._workspace.remove()


def timed_out() -> PermanentError:
    return PermanentError("timeout", "Reading the document took longer than is allowed; split it or simplify it.")

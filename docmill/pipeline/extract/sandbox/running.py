"""One running extractor process and its pipes: requests go in as lines of JSON, frames come out."""

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
from dataclasses import asdict
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import DocmillError, PermanentError, TransientError
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.sandbox.frames import LENGTH, parse_frame
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.workspace import Workspace

_log = logging.getLogger("docmill.extract")
_STDERR_TAIL = 8192
"""Bytes of standard error that are kept for the log."""
_START_SECONDS = 60.0
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Out of memory", b"cannot allocate memory")


class RunningExtractor:
    """One extractor process and its pipes."""

    def __init__(self, limits: SandboxLimits, reader: str, ocr: OcrOptions) -> None:
        self._workspace = Workspace()
        settings = {
            "parent": os.getpid(),
            "memory_bytes": limits.memory_bytes,
            "processor_seconds": limits.total_seconds + limits.page_seconds,
            "reader": reader,
            "ocr": asdict(ocr),
        }
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "docmill.pipeline.extract.sandbox.child", json.dumps(settings)],
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
                raise timed_out()
        except BaseException:
            self.end()
            raise
        self.walls = tuple(str(wall) for wall in ready.get("walls", ()))

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_usable(self, limits: SandboxLimits) -> bool:
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
                    raise timed_out()
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


def timed_out() -> PermanentError:
    return PermanentError("timeout", "Reading the document took longer than is allowed; split it or simplify it.")


def _environment(workspace: Path) -> dict[str, str]:
    """A clean environment: no secrets, one thread a library."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(workspace),
        "TMPDIR": str(workspace),
        "LANG": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "TOKIO_WORKER_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }

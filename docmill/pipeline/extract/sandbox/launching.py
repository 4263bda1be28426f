"""A worker's end of its zygote: asks for extractors, and how they ended."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import TransientError
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.sandbox.limits import SandboxLimits

_PACKET = 1 << 16
_ANSWER_SECONDS = 60.0
"""The zygote loads libraries before it answers, on a machine that may be busy."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an extractor ended: its exit code, negative for a signal; the most memory that it had resident, in bytes;
    whether the zygote had to kill it."""

    code: int
    rss: int
    was_killed: bool


@dataclass(slots=True)
class Needs:
    """What a worker's documents have needed so far: readers of these content types, and models for OCR. Loaded by the
    zygote, it is there when the next extractor begins."""

    types: set[str] = field(default_factory=set)
    ocr: bool = False


class Zygote:
    """Forks extractors, one at a time. It dies with the thread that started it, and serves that thread alone."""

    def __init__(self, limits: SandboxLimits, reader: str, ocr: OcrOptions) -> None:
        """`reader` names the module that reads documents in there."""
        settings = {
            "parent": os.getpid(),
            "memory_bytes": limits.memory_bytes,
            "processor_seconds": limits.total_seconds + limits.page_seconds,
            "reader": reader,
            "ocr": asdict(ocr),
            "programs": ocr.engine == "tesseract",
        }
        self._owner = os.getpid(), threading.get_ident()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "docmill.pipeline.extract.sandbox.zygote", json.dumps(settings)],
                stdin=theirs.fileno(),
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    def is_usable(self) -> bool:
        """Whether it can be asked, by this thread."""
        return self._owner == (os.getpid(), threading.get_ident()) and self._popen.poll() is None

    def start(self, readable: Path, writable: Path, user: int | None, needs: Needs, pipes: tuple[int, int, int]) -> int:
        """Fork an extractor that may read and write there, as `user` where that is an id, with what it `needs` loaded;
        `pipes` are its ends for requests, frames and errors. Returns a pidfd.

        Raises TransientError `extractor_crashed` when the zygote is no more.
        """
        request = {
            "do": "start",
            "readable": str(readable),
            "writable": str(writable),
            "user": user,
            "types": sorted(needs.types),
            "has_ocr": needs.ocr,
        }
        _, handles = self._ask(request, pipes)
        return handles[0]

    def end(self, grace: float) -> Ended:
        """Wait `grace` seconds for the extractor to end, then kill it, and all that it started."""
        answer, _ = self._ask({"do": "end", "grace": grace})
        return Ended(answer["code"], answer["rss"], answer["was_killed"])

    def close(self) -> None:
        """End the zygote; an extractor that still runs ends with it."""
        self._channel.close()
        self._popen.kill()
        self._popen.wait()

    def _ask(self, request: dict[str, Any], pipes: tuple[int, ...] = ()) -> tuple[dict[str, Any], list[int]]:
        deadline = time.monotonic() + _ANSWER_SECONDS
        try:
            socket.send_fds(self._channel, [json.dumps(request).encode()], pipes)
            readable, _, _ = select.select([self._channel], [], [], deadline - time.monotonic())
            data, handles, _, _ = socket.recv_fds(self._channel, _PACKET, 1) if readable else (b"", [], 0, None)
        except OSError:
            data, handles = b"", []
        if not data:
            self.close()
            raise TransientError("extractor_crashed", "The process that starts extractors has ended.")
        answer: dict[str, Any] = json.loads(data)
        return answer, handles


def _environment() -> dict[str, str]:
    """A clean environment: no secrets, one thread a library."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "TOKIO_WORKER_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }

"""The zygote: a process that forks extractors and never sees a document.

Each tenant's documents are read by a process of their own, so these must be cheap: the zygote has Python and the
readers loaded, and a fork of it takes milliseconds. It leaves the network and the sight of other processes for all of
them, is the first process of their pid namespace, and ends whatever an extractor leaves running.

`launching.Zygote` is its other end: requests are packets of JSON on standard input, a Unix socket, with the pipes of
the extractor to be; answers go back the same way. It ends with that socket, and with the thread that started it.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from importlib import import_module
from typing import Any

from docmill.pipeline.extract.file_types import BY_CONTENT_TYPE
from docmill.pipeline.extract.ocr import recognition
from docmill.pipeline.extract.ocr.engine import OcrOptions
from docmill.pipeline.extract.sandbox import linux
from docmill.pipeline.extract.sandbox.walls import Walls, die_with, enter_namespaces, hide_memory

_PACKET = 1 << 16


def main() -> None:
    """Enter the namespaces, fork once to be their first process, and serve until the socket ends."""
    settings = json.loads(sys.argv[1])
    die_with(settings["parent"])
    walls = Walls()
    enter_namespaces(walls)
    me = os.getpid()
    if zygote := os.fork():
        os.close(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(zygote, 0)[1]) & 0xFF)
    # The first process of a namespace does not see its parent's id.
    die_with(0 if "processes" in walls.standing else me)
    hide_memory()
    if "processes" in walls.standing:
        with contextlib.suppress(OSError):  # where it is refused, the wall 'files' hides the old one
            linux.mount_own_proc()
    channel = socket.socket(fileno=os.dup(0))
    _Zygote(channel, settings, walls).serve()


class _Zygote:
    def __init__(self, channel: socket.socket, settings: dict[str, Any], walls: Walls) -> None:
        from docmill.pipeline.extract.sandbox import child  # what extractors need from the start

        self._run_extractor = child.run
        self._channel = channel
        self._settings = settings
        self._walls = walls
        self._extractor = self._handle = 0
        recognition.use(OcrOptions(**settings["ocr"]))
        import_module(settings["reader"])

    def serve(self) -> None:
        while True:
            data, pipes, _, _ = socket.recv_fds(self._channel, _PACKET, 3)
            if not data:
                return
            request = json.loads(data)
            if request["do"] == "start":
                self._start(request, pipes)
            else:
                self._end(request["grace"])

    def _start(self, request: dict[str, Any], pipes: list[int]) -> None:
        self._load(request)
        gc.freeze()  # so that collecting garbage does not copy the pages shared with the extractor
        self._extractor = os.fork()
        if self._extractor == 0:
            status = 1
            try:
                self._channel.close()
                self._run_extractor(pipes, request, self._settings, self._walls)
                status = 0
            finally:
                os._exit(status)
        for pipe in pipes:
            os.close(pipe)
        self._handle = os.pidfd_open(self._extractor)
        socket.send_fds(self._channel, [b"{}"], [self._handle])

    def _load(self, request: dict[str, Any]) -> None:
        """Import once what extractors have needed so far."""
        for content_type in request["types"]:
            if content_type in BY_CONTENT_TYPE:
                import_module(f"docmill.pipeline.extract.{BY_CONTENT_TYPE[content_type].module}")
        if request["has_ocr"]:
            recognition.warm_up()

    def _end(self, grace: float) -> None:
        """Wait so many seconds for the extractor to end, kill it if it does not, and whatever it left; answer how it
        ended."""
        has_ended, _, _ = select.select([self._handle], [], [], grace)
        if not has_ended:
            os.kill(self._extractor, signal.SIGKILL)
        _, status, usage = os.wait4(self._extractor, 0)
        os.close(self._handle)
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.wait()
        answer = {"code": os.waitstatus_to_exitcode(status), "rss": usage.ru_maxrss << 10, "was_killed": not has_ended}
        self._channel.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main()

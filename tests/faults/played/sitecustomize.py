"""What no signal can do to docmill's processes, done inside them as they start: clocks that jump, files that poison.

Python imports a module of this name by itself in every process whose PYTHONPATH begins with this folder.
"""

import os
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

CLOCK = "FAULTS_CLOCK"
"""Names the file with the seconds that this machine's clock is ahead."""
DEAF = "FAULTS_DEAF"
"""Names the file that makes workers take no message while it is there."""
_LOOK_EVERY = 0.2


class Clock:
    """Shifts this process's time of day as the file says, also later, and in the processes that it forks.

    Time that only runs (`time.monotonic`) goes on as it does when a machine's clock is set.
    """

    def __init__(self, file: Path) -> None:
        import time_machine

        self._machine = time_machine
        self._file = file
        self._shift = 0.0
        self._travel: time_machine.travel | None = None
        self._follow()
        self._watch()
        os.register_at_fork(after_in_child=self._watch)

    def _watch(self) -> None:
        threading.Thread(target=self._keep_following, daemon=True).start()

    def _keep_following(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            self._follow()

    def _follow(self) -> None:
        shift = float(self._file.read_text() or 0) if self._file.exists() else 0.0
        if shift == self._shift:
            return
        if self._travel:
            self._travel.stop()
        self._shift, self._travel = shift, None
        if shift:
            self._travel = self._machine.travel(datetime.now().astimezone() + timedelta(seconds=shift), tick=True)
            self._travel.start()


def read_poison() -> None:
    """Let the extractor process obey files that begin with POISON (tests/unit/hostile_reader.py knows the orders); all
    others it reads as ever."""
    from docmill.pipeline import extract
    from tests.unit import hostile_reader

    genuine = extract.read_document

    def read_document(path: Path, content_type: str, content_of: Any = None) -> Any:
        with path.open("rb") as file:
            poisonous = file.read(6) == b"POISON"
        return (hostile_reader.read_document if poisonous else genuine)(path, content_type, content_of)

    extract.read_document = read_document


def die_of_poison() -> None:
    """Let a worker die of a file that begins with POISON and says so: inside the sandbox no document can kill it."""
    from docmill.pipeline.extract.sandbox.process import ExtractorProcess

    genuine = ExtractorProcess.open

    def open_or_die(self: ExtractorProcess, path: Path, *arguments: Any, **options: Any) -> Any:
        with path.open("rb") as file:
            start = file.read(200)
        if start.startswith(b"POISON") and b"kill_worker" in start:
            os.kill(os.getpid(), signal.SIGKILL)
        return genuine(self, path, *arguments, **options)

    ExtractorProcess.open = open_or_die  # type: ignore[method-assign]


def go_deaf(file: Path) -> None:
    """Let a Celery worker take no message though all else of it lives, as happens after lost connections."""
    from kombu.transport.virtual import QoS

    listens = QoS.can_consume
    QoS.can_consume = lambda self: not file.exists() and listens(self)  # type: ignore[method-assign]


if os.environ.get(DEAF):
    go_deaf(Path(os.environ[DEAF]))
if os.environ.get(CLOCK):
    Clock(Path(os.environ[CLOCK]))
if "docmill.pipeline.extract.sandbox.zygote" in sys.orig_argv:
    read_poison()
if "docmill.worker" in sys.orig_argv:
    die_of_poison()

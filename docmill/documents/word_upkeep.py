"""Upkeep of the words' index: counts brought up to date, and the words of an earlier version's chunks written.

The sweep begins a round, which runs beside it in a thread of its own. A process looks once through all chunks for those
whose words are not written; what is completed from then on has its words.
"""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import connections

from docmill.documents import word_index
from docmill.documents.models import Chunk

log = structlog.get_logger("docmill.words")

_ROUND_SECONDS = 30.0


class WordUpkeep:
    """Rounds of upkeep, one at a time."""

    def __init__(self) -> None:
        self._under_way = threading.Lock()
        self._looked_at = 0
        self._complete = False

    def begin(self) -> None:
        """Begin a round, unless the last one is still at work."""
        if self._under_way.acquire(blocking=False):
            threading.Thread(target=self._run, name="words", daemon=True).start()

    def _run(self) -> None:
        try:
            self.round()
        except Exception:
            log.exception("words_failed")
        finally:
            connections.close_all()
            self._under_way.release()

    def round(self) -> None:
        """One round, of half a minute at most."""
        until = time.monotonic() + _ROUND_SECONDS
        while not self._complete and time.monotonic() < until:
            self._looked_at, written = word_index.fill(self._looked_at)
            self._complete = self._looked_at == 0
            if written:
                log.info("words_written", chunks=written)
        while word_index.count_in() and time.monotonic() < until:
            pass


def write_all(report: Callable[[int, int], None]) -> int:
    """Write the words of all chunks that lack them; how many. `report` gets the chunks looked at, and all there are."""
    total, looked_at, done, written = Chunk.objects.count(), 0, 0, 0
    while True:
        looked_at, some = word_index.fill(looked_at)
        if not looked_at:
            break
        written, done = written + some, min(done + word_index.AT_ONCE, total)
        report(done, total)
    while word_index.count_in():
        pass
    return written

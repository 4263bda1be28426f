"""How long work stands still after a fault, seen in the rows while the run goes on."""

import collections
import statistics
import time
import uuid
from collections.abc import Callable, Collection, Iterator

from docmill.api.locks import lock_key
from tests.faults.installation import Installation

LOOK_FOR = 75.0
"""Seconds after which a document that is not worked on again counts as that long."""
_RUNG_BEFORE = "(rung_at IS NULL OR rung_at < now() - interval '60 seconds')"
"""One that was rung for within the minute waits until it has passed: it says nothing of the bounds."""


class Recovery:
    """Seconds of standstill by kind of fault."""

    def __init__(self, installation: Installation) -> None:
        self._here = installation
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)

    def note(self, what: str, seconds: float) -> None:
        self.seconds[what].append(seconds)

    def timed(self, what: str, kill: Callable[[], None]) -> Callable[[], None]:
        """Kill, and measure for each document in work then how long it takes until it is worked on again, or ended."""

        def inject() -> None:
            held = self._held_keys()
            claimed = self._rows(f"claimed_at IS NOT NULL AND {_RUNG_BEFORE}")
            in_work = {one: row for one, row in claimed.items() if lock_key(uuid.UUID(one)) in held}
            began = time.monotonic()
            kill()
            killed = self._still_open(in_work)
            self._wait(what, began, killed, lambda row, before: row[0] != "processing" or row[1] > before[1])

        return inject

    def of_emptied_broker(self, flush: Callable[[], None]) -> Callable[[], None]:
        """Empty the broker, and measure for each waiting document how long it takes until its message is there again,
        or it is worked on."""

        def inject() -> None:
            flush()
            began = time.monotonic()
            waiting = self._rows(f"claimed_at IS NULL AND next_retry_at IS NULL AND {_RUNG_BEFORE}")
            self._wait(
                "an emptied broker",
                began,
                waiting,
                lambda row, before: row[0] != "processing" or row[1] > before[1] or row[2] != before[2],
            )

        return inject

    def lines(self) -> Iterator[str]:
        for what, seconds in sorted(self.seconds.items()):
            yield f"| {what} | {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"

    def _rows(self, condition: str) -> dict[str, tuple[str, int, object]]:
        query = (
            f"SELECT id::text, status, attempt, rung_at FROM api_document WHERE status = 'processing' AND {condition}"
        )
        with self._here.database() as database:
            return {row[0]: row[1:] for row in database.execute(query)}

    def _held_keys(self) -> set[int]:
        """The locks of the documents that are worked on: one that an earlier fault left waits for its message."""
        query = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
        with self._here.database() as database:
            return {row[0] for row in database.execute(query)}

    def _still_open(self, documents: dict[str, tuple[str, int, object]]) -> dict[str, tuple[str, int, object]]:
        """Those that were not ended in the instant of the fault."""
        now = self._read(documents)
        return {one: before for one, before in documents.items() if now.get(one, ("gone",))[0] == "processing"}

    def _wait(
        self,
        what: str,
        began: float,
        documents: dict[str, tuple[str, int, object]],
        is_over: Callable[[tuple[str, int, object], tuple[str, int, object]], bool],
    ) -> None:
        left = dict(documents)
        while left and time.monotonic() - began < LOOK_FOR:
            now = self._read(left)
            for document_id, before in list(left.items()):
                if document_id not in now or is_over(now[document_id], before):
                    self.note(what, time.monotonic() - began)
                    del left[document_id]
            time.sleep(0.1)
        for _ in left:
            self.note(what, LOOK_FOR)

    def _read(self, documents: Collection[str]) -> dict[str, tuple[str, int, object]]:
        query = (
            "SELECT id::text, status, attempt, rung_at FROM api_document"
            " WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL"
        )
        with self._here.database() as database:
            return {row[0]: row[1:] for row in database.execute(query, (list(documents),))}

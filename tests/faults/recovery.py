"""How long work stands still after a fault, seen in the rows while the run goes on."""

import collections
import statistics
import time
import uuid
from collections.abc import Callable, Collection, Iterator

from docmill.api.locks import lock_key
from tests.faults.installation import Installation

BOUNDS = {
    "a killed child": 15.0,
    "a killed worker": 15.0,
    "an emptied broker": 30.0,
    "a worker's exit after SIGTERM": 30.0,
}
"""Seconds that each may take at most."""
LOOK_FOR = 75.0
"""Seconds after which a document that is not worked on again counts as that long."""
HELD_ON = 3.0
"""Seconds after a kill in which PostgreSQL frees the dead one's locks: a document that is held on was another's."""
_RUNG_BEFORE = "rung_at > now() - interval '60 seconds'"
"""One that was rung for within the minute waits until it has passed: it says nothing of an emptied broker's bound."""


class Recovery:
    """Seconds of standstill by kind of fault."""

    def __init__(self, installation: Installation) -> None:
        self._here = installation
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)
        self.left_out = 0

    def note(self, what: str, seconds: float) -> None:
        self.seconds[what].append(seconds)

    def timed(self, what: str, kill: Callable[[], None]) -> Callable[[], None]:
        """Kill, and measure for each document that lost its worker how long it takes until it is worked on again, or
        ended."""

        def inject() -> None:
            in_work = self._in_work()
            lost: set[str] = set()
            began = time.monotonic()
            kill()
            while in_work and time.monotonic() - began < LOOK_FOR:
                # Locks first: a row that is read after them and names the old attempt was not taken up by then.
                held, rows = self._held_keys(), self._read(in_work)
                seconds = time.monotonic() - began
                for one, (_, attempt_then, _) in list(in_work.items()):
                    status, attempt, _ = rows.get(one, ("deleted", attempt_then, None))
                    goes_on = status != "processing" or attempt > attempt_then
                    if not goes_on and _key(one) not in held:
                        lost.add(one)
                    if goes_on and (one in lost or attempt > attempt_then):
                        self.note(what, seconds)
                    if goes_on or (seconds > HELD_ON and one not in lost):
                        del in_work[one]
                time.sleep(0.05)
            for _ in in_work:
                self.note(what, LOOK_FOR)

        return inject

    def of_emptied_broker(self, flush: Callable[[], None]) -> Callable[[], None]:
        """Empty the broker, and measure for each waiting document how long it takes until its message is there again,
        or it is worked on."""

        def inject() -> None:
            flush()
            began = time.monotonic()
            waiting = self._rows("claimed_at IS NULL AND next_retry_at IS NULL")
            left_out = self._rows(f"claimed_at IS NULL AND next_retry_at IS NULL AND {_RUNG_BEFORE}")
            self.left_out += len(left_out)
            self._wait_for_messages(began, {one: row for one, row in waiting.items() if one not in left_out})

        return inject

    def beyond_bounds(self) -> Iterator[str]:
        """What took longer than it may."""
        for what, bound in BOUNDS.items():
            for seconds in self.seconds[what]:
                if seconds > bound:
                    yield f"after {what} it took {seconds:.1f} s, more than {bound:.0f}"

    def lines(self) -> Iterator[str]:
        for what, seconds in sorted(self.seconds.items()):
            figures = f"{statistics.median(seconds):.1f} | {max(seconds):.1f}" if seconds else "- | -"
            yield f"| {what} | {len(seconds)} | {figures} | {BOUNDS[what]:.0f} |"

    def _rows(self, condition: str) -> dict[str, tuple[str, int, object]]:
        query = (
            f"SELECT id::text, status, attempt, rung_at FROM api_document WHERE status = 'processing' AND {condition}"
        )
        with self._here.database() as database:
            return {row[0]: row[1:] for row in database.execute(query)}

    def _in_work(self) -> dict[str, tuple[str, int, object]]:
        claimed, held = self._rows("claimed_at IS NOT NULL AND deleted_at IS NULL"), self._held_keys()
        return {one: row for one, row in claimed.items() if _key(one) in held}

    def _held_keys(self) -> set[int]:
        """The locks of the documents that are worked on: one that an earlier fault left waits for its message."""
        query = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
        with self._here.database() as database:
            return {row[0] for row in database.execute(query)}

    def _wait_for_messages(self, began: float, documents: dict[str, tuple[str, int, object]]) -> None:
        left = dict(documents)
        while left and time.monotonic() - began < LOOK_FOR:
            now = self._read(left)
            for document_id, before in list(left.items()):
                row = now.get(document_id)
                if row is None or row[0] != "processing" or row[1] > before[1] or row[2] != before[2]:
                    self.note("an emptied broker", time.monotonic() - began)
                    del left[document_id]
            time.sleep(0.1)
        for _ in left:
            self.note("an emptied broker", LOOK_FOR)

    def _read(self, documents: Collection[str]) -> dict[str, tuple[str, int, object]]:
        query = (
            "SELECT id::text, status, attempt, rung_at FROM api_document"
            " WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL"
        )
        with self._here.database() as database:
            return {row[0]: row[1:] for row in database.execute(query, (list(documents),))}


def _key(document_id: str) -> int:
    return lock_key(uuid.UUID(document_id))

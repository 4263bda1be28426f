"""How long work stands still after a fault, seen in the rows while the run goes on."""

import collections
import statistics
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from docmill.documents.locks import lock_key
from tests.faults.installation import Installation

BOUNDS = {
    "a killed child": 15.0,
    "a killed worker": 15.0,
    "an emptied broker": 15.0,
    "a worker's exit after SIGTERM": 30.0,
}
"""Seconds that each may take at most."""
LOOK_FOR = 75.0
"""Seconds after which a document that is not worked on again counts as that long."""
HELD_ON = 3.0
"""Seconds after a kill in which PostgreSQL frees the dead one's locks: a document that is held on was another's."""
_COLUMNS = "id::text, status, attempt, enqueued_at, claimed_at IS NOT NULL"
_ENQUEUED_BEFORE = "enqueued_at > now() - interval '60 seconds'"
"""One that was enqueued within the minute waits until it has passed: it says nothing of an emptied broker's bound."""


class Row(NamedTuple):
    """A document's row, as far as it tells of standstill."""

    status: str
    attempt: int
    enqueued_at: datetime | None
    is_claimed: bool


_DELETED = Row("deleted", 0, None, False)


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
        ended. A document that is held by the same session after a while was another's."""

        def inject() -> None:
            holders = self._holders()
            claimed = self._rows("claimed_at IS NOT NULL AND deleted_at IS NULL")
            in_work = {one: row for one, row in claimed.items() if _key(one) in holders}
            lost: set[str] = set()
            began = time.monotonic()
            kill()
            while in_work and time.monotonic() - began < LOOK_FOR:
                # Locks first: a row that is read after them and names the old attempt was not taken up by then.
                held_by, rows = self._holders(), self._read(in_work)
                seconds = time.monotonic() - began
                for one, before in list(in_work.items()):
                    row = rows.get(one, _DELETED)
                    goes_on = row.status != "processing" or row.attempt > before.attempt or not row.is_claimed
                    if not goes_on and held_by.get(_key(one)) != holders[_key(one)]:
                        lost.add(one)
                    if goes_on and (one in lost or row.attempt > before.attempt):
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
            left_out = self._rows(f"claimed_at IS NULL AND next_retry_at IS NULL AND {_ENQUEUED_BEFORE}")
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

    def _rows(self, condition: str) -> dict[str, Row]:
        query = f"SELECT {_COLUMNS} FROM api_document WHERE status = 'processing' AND {condition}"
        with self._here.database() as database:
            return {row[0]: Row(*row[1:]) for row in database.execute(query)}

    def _holders(self) -> dict[int, int]:
        """The locks of the documents that are worked on, and the sessions that hold them. A document that an earlier
        fault left waits for its message."""
        query = "(classid::bigint << 32) | objid::bigint, pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        with self._here.database() as database:
            return dict(database.execute(f"SELECT {query}").fetchall())

    def _wait_for_messages(self, began: float, documents: dict[str, Row]) -> None:
        left = dict(documents)
        while left and time.monotonic() - began < LOOK_FOR:
            now = self._read(left)
            for document_id, before in list(left.items()):
                row = now.get(document_id)
                if row is None or row.status != "processing" or row[1:3] != before[1:3]:
                    self.note("an emptied broker", time.monotonic() - began)
                    del left[document_id]
            time.sleep(0.1)
        for _ in left:
            self.note("an emptied broker", LOOK_FOR)

    def _read(self, documents: Collection[str]) -> dict[str, Row]:
        query = f"SELECT {_COLUMNS} FROM api_document WHERE id = ANY(%s::uuid[]) AND deleted_at IS NULL"
        with self._here.database() as database:
            return {row[0]: Row(*row[1:]) for row in database.execute(query, (list(documents),))}


def _key(document_id: str) -> int:
    return lock_key(uuid.UUID(document_id))

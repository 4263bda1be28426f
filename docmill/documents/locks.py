"""A document is held by a PostgreSQL session advisory lock, which vanishes with its worker: no lease to tune."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.rows import TupleRow

# A machine that vanishes without a word is noticed by both ends within half a minute.
_SERVER_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"

OUTLIVES_ITS_PROCESS = 2.0
"""Seconds within which PostgreSQL has noticed that a process on a living machine is gone."""


class DocumentLock:
    """A lock that is held as long as its connection lives."""

    def __init__(self, session: psycopg.Connection[TupleRow]) -> None:
        self._session = session

    def check(self) -> None:
        """Raise psycopg.OperationalError if the connection, and with it the lock, is lost."""
        self._session.execute("SELECT 1")


@contextmanager
def document_lock(document_id: uuid.UUID, patience: float = 0.0) -> Iterator[DocumentLock | None]:
    """Hold the document's lock on a connection of its own; None when another session holds it for `patience` seconds
    from now."""
    session = psycopg.connect(
        settings.DATABASE_URL,
        autocommit=True,
        connect_timeout=5,
        application_name="docmill lock",
        options=_SERVER_KEEPALIVE,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
    try:
        yield DocumentLock(session) if _locked(session, document_id, time.monotonic() + patience) else None
    finally:
        session.close()


def _locked(session: psycopg.Connection[TupleRow], document_id: uuid.UUID, deadline: float) -> bool:
    while True:
        row = session.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(document_id),)).fetchone()
        if row and row[0]:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def lock_key(document_id: uuid.UUID) -> int:
    """The advisory lock's key: the first 64 bits of the document's random id, signed as PostgreSQL wants them."""
    return int.from_bytes(document_id.bytes[:8], signed=True)


def held_keys() -> set[int]:
    """The keys of all documents that some worker holds now."""
    with connection.cursor() as cursor:
        # A 64-bit key is shown in two halves; objsubid 1 marks such keys.
        cursor.execute(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return {row[0] for row in cursor.fetchall()}

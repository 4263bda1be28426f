"""A worker that is told to stop lets its children finish for a while, then has them give their documents back.

The flag lies in memory that the worker shares with the children it forks.
"""

import mmap
import struct
import time

from celery.signals import worker_shutting_down

GRACE_SECONDS = 10.0
"""How long a document may go on after the worker was told to stop."""

_asked_at = mmap.mmap(-1, 8)


@worker_shutting_down.connect
def _remember(**_: object) -> None:
    _asked_at[:8] = struct.pack("d", time.monotonic())


def is_asked() -> bool:
    """Whether the worker was told to stop."""
    return _seconds_ago() is not None


def is_due() -> bool:
    """Whether the grace is over and documents are to be given back."""
    seconds = _seconds_ago()
    return seconds is not None and seconds > GRACE_SECONDS


def _seconds_ago() -> float | None:
    (asked_at,) = struct.unpack("d", _asked_at[:8])
    return time.monotonic() - asked_at if asked_at else None

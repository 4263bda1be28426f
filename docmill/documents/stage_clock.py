"""Time limits of an attempt's stages: a soft one that the attempt notices itself, a hard one that the kernel enforces.

The soft limit ends the attempt as `timeout` at its next progress. Code that makes no progress any more, and may never
give Python a turn, is ended by SIGALRM a while later; the worker's parent then sees to it that `timeout` is written
(lost_children.py).
"""

import signal
import threading
import time
from collections.abc import Mapping

from docmill.pipeline.errors import PermanentError


class StageClock:
    """The current stage's time, in seconds that were not spent waiting for quota.

    `limits` are the seconds of each stage by name; the kernel's alarm comes `margin` seconds after the soft limit.
    There is one alarm a process, so only a main thread sets it: a web process that works within a request has the soft
    limit alone.
    """

    def __init__(self, limits: Mapping[str, float], margin: float) -> None:
        self._limits = limits
        self._margin = margin
        self._stage = ""
        self._ends_at = float("inf")
        self._excused_until = 0.0
        self._lock = threading.Lock()
        self._has_alarm = threading.current_thread() is threading.main_thread()
        if self._has_alarm:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def enter(self, stage: str) -> None:
        """Begin a stage."""
        with self._lock:
            self._stage, self._ends_at = stage, time.monotonic() + self._limits[stage]
        self._set_alarm()

    def excuse(self, seconds: float) -> None:
        """Do not count the next seconds; several calls that wait side by side are excused once. For any thread."""
        with self._lock:
            now = time.monotonic()
            until = max(self._excused_until, now + seconds)
            self._ends_at += until - max(self._excused_until, now)
            self._excused_until = until

    def check(self) -> None:
        """Raise PermanentError `timeout` when the stage's time is over."""
        if time.monotonic() > self._ends_at:
            limit = self._limits[self._stage]
            raise PermanentError("timeout", f"The stage '{self._stage}' took longer than its limit of {limit:g} s.")
        self._set_alarm()

    def stop(self) -> None:
        """No limit from here on."""
        self._ends_at = float("inf")
        if self._has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _set_alarm(self) -> None:
        if self._has_alarm and self._stage:
            signal.setitimer(signal.ITIMER_REAL, max(self._ends_at - time.monotonic(), 0) + self._margin)

"""Ends a worker that looks alive but consumes nothing: a child is idle, messages wait, and none is taken for a while.

It is known of Celery on Redis after lost connections. A worker that only waits, or is busy, is left alone. Whoever runs
the worker starts it again; a document that a child still works on is freed as by any lost worker.
"""

import os
import signal
import threading
import time
from typing import Any

import psutil
import structlog
from celery import bootsteps
from celery.worker import state
from django.conf import settings

from docmill.worker.queues import messages_waiting

log = structlog.get_logger("docmill.watchdog")

_LOOKS = 6
"""How often it looks before it is sure."""
_STOP_SECONDS = 20.0


class Watchdog(bootsteps.StartStopStep):
    """A thread in the worker's parent process, so that it also sees an event loop that stands still."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        self._worker = worker
        self._stopped = threading.Event()
        self._taken = -1
        self._idle_looks = 0

    def start(self, worker: Any) -> None:
        if settings.WORKER_WATCHDOG_SECONDS:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self, worker: Any) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(settings.WORKER_WATCHDOG_SECONDS / _LOOKS):
            self._idle_looks = self._idle_looks + 1 if self._takes_nothing() else 0
            if self._idle_looks >= _LOOKS:
                log.critical("worker_consumes_nothing", seconds=settings.WORKER_WATCHDOG_SECONDS)
                end_this_worker()

    def _takes_nothing(self) -> bool:
        """Whether since the last look no message was taken though one waits and there is somebody to take it."""
        before, self._taken = self._taken, state.all_total_count[0]
        idle = len(state.reserved_requests) < self._worker.pool.num_processes
        return before == self._taken and idle and self._messages_wait()

    def _messages_wait(self) -> bool:
        return bool(messages_waiting(self._worker.app.amqp.queues.consume_from))


def end_this_worker() -> None:
    """Ask this process to stop as a deploy does; kill it and its children when it does not."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os.kill(os.getpid(), signal.SIGKILL)

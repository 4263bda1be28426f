"""A sign of life of a worker's parent: a file that its event loop touches, for health checks.

Celery can be asked over the broker whether a worker lives, which costs a process and a broadcast at each look, and
fails all workers while the broker is away. The loop turns also while every child is busy with a long document.
"""

import time
from pathlib import Path
from typing import Any

from celery import bootsteps
from django.conf import settings

from docmill.worker.queues import HOUSEKEEPING, NEW, messages_waiting

TOUCH_EVERY = 5.0
"""Seconds."""
LOST_AFTER = {"worker": 60.0, "housekeeping": 600.0}
"""Seconds without a sign of life. Housekeeping does its work in the loop itself, and pruning a large bucket takes
minutes."""


def sign_of_life(role: str) -> Path:
    """The file that a process of this role touches: one process a role and temporary folder."""
    return Path(settings.TEMP_DIR) / f"docmill-{role}.alive"


def trouble_of(role: str) -> str:
    """What is wrong with the process of this role, "" when it lives. One that waits for its broker lives: starting it
    again would not bring the broker back."""
    try:
        seconds = time.time() - sign_of_life(role).stat().st_mtime
    except FileNotFoundError:
        return f"no {role} has begun to take messages"
    if seconds <= LOST_AFTER[role] or messages_waiting([NEW]) is None:
        return ""
    return f"the {role} has not looked for messages for {seconds:.0f} s"


class Heartbeat(bootsteps.StartStopStep):
    """Touches the file from the loop that takes messages."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **_: Any) -> None:
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        role = "housekeeping" if HOUSEKEEPING in parent.app.amqp.queues.consume_from else "worker"
        path = sign_of_life(role)
        path.touch()
        self._timer = parent.timer.call_repeatedly(TOUCH_EVERY, path.touch)

    def stop(self, parent: Any) -> None:
        if self._timer:
            self._timer.cancel()

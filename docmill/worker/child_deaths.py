"""A worker's parent sees first that a child died, and says so before the child's place is given away.

Stock Celery marks the task failed (WorkerLostError) and forgets it. Here the parent delivers the child's message once
more, ahead of all others: the child that replaces the dead one takes it, and the place that became free is the
document's, however many others wait. Only a short cut: the message may be lost with the broker, and a parent may die
with its children. The sweep finds the document then.
"""

from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery.signals import task_failure, worker_init

from docmill.worker.queues import ABANDONED, FAIL_TIMED_OUT, PROCESS_DOCUMENT, enqueue

log = structlog.get_logger("docmill.child_deaths")

_ALARM = "SIGALRM"


def watch_children() -> None:
    """Have a worker's parent speak for its children, from before it has any."""
    worker_init.connect(_listen)


def _listen(**_: object) -> None:
    task_failure.connect(_say_so)


def _say_so(sender: Any, exception: BaseException, args: Any, task_id: str, **_: object) -> None:
    """The parent itself keeps no database open, so it only sends a message."""
    if not isinstance(exception, WorkerLostError) or sender.name != PROCESS_DOCUMENT:
        return
    document_id, delivery = args[2], sender.request.delivery_info
    if _ALARM in str(exception):
        told = enqueue(FAIL_TIMED_OUT, [document_id], ABANDONED)
    elif delivery and delivery["routing_key"] == ABANDONED:
        return  # its second child: one that dies before the attempt is counted would be followed by others for ever
    else:
        told = enqueue(PROCESS_DOCUMENT, args, ABANDONED, task_id=task_id)
    if told:
        log.info("child_lost", document_id=document_id, reason=str(exception))

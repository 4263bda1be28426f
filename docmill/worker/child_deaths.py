"""What becomes of a document whose worker child died: the worker's parent sees it first and says so.

It delivers the child's message once more, ahead of all others. The child that replaces the dead one takes it: the
place that became free is the document's, however many others wait. Only a short cut: the message may be lost with the
broker, and a parent may die with its children. The sweep finds the document then.
"""

import uuid
from typing import Any

import structlog
from billiard.exceptions import WorkerLostError
from celery.signals import task_failure
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from docmill.api import documents
from docmill.api.broker import ABANDONED
from docmill.api.locks import OUTLIVES_ITS_PROCESS, document_lock
from docmill.api.models import Document
from docmill.api.tasks import child_timed_out, process_document
from docmill.pipeline.errors import PermanentError

log = structlog.get_logger("docmill.lost_children")

_ALARM = "SIGALRM"


def watch() -> None:
    """Called in a worker's parent before it has children."""
    task_failure.connect(_say_so, sender=process_document)


def _say_so(exception: BaseException, args: Any, task_id: str, **_: object) -> None:
    """In the worker's parent, before the dead child's place is given away. The parent itself keeps no database open."""
    if not isinstance(exception, WorkerLostError):
        return
    document_id, delivery = args[2], process_document.request.delivery_info
    try:
        if _ALARM in str(exception):
            child_timed_out.delay(document_id)
        elif delivery and delivery["routing_key"] == ABANDONED:
            return  # its second child: one that dies before the attempt is counted would be followed by others for ever
        else:
            process_document.apply_async(args=args, task_id=task_id, queue=ABANDONED)
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", document_id=document_id, error=str(error))
    else:
        log.info("child_lost", document_id=document_id, reason=str(exception))


def fail_timed_out(document_id: uuid.UUID) -> bool:
    """Fail the document as `timeout`; False if another worker has taken it up or there is nothing to do."""
    with document_lock(document_id, patience=OUTLIVES_ITS_PROCESS) as lock:
        document = Document.objects.filter(id=document_id, status=Document.Status.PROCESSING, deleted_at=None).first()
        if lock is None or document is None or document.claimed_at is None:
            return False
        sentence = f"The stage '{document.stage}' went far beyond its limit and was ended."
        documents.fail_left_open(document, PermanentError("timeout", sentence))
    return True

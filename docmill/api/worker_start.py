"""What a worker does before it takes its first message."""

from typing import Any

import structlog
from celery.signals import worker_init, worker_ready
from django.conf import settings
from django.db import DatabaseError, connections

from docmill import adapters
from docmill.documents import recovery
from docmill.documents.vector_index import verify_index_name
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.sandbox.walls import hide_memory
from docmill.worker.queues import HOUSEKEEPING

log = structlog.get_logger("docmill.worker")


@worker_init.connect
def _refuse_a_foreign_index(**_: object) -> None:
    """A worker whose settings name another index than the one in use stops here, with the sentence that says what to
    do. Nothing is asked over the network: the children must not share connections."""
    try:
        verify_index_name()
    except PermanentError as error:
        raise SystemExit(error.message) from error  # Celery goes on after any other exception


@worker_init.connect
def _look_at_the_sandbox(sender: Any, **_: object) -> None:
    """Keep this worker's secrets from whatever else its user runs; name the sandbox's walls in the log, and stop here
    when one is missing that the setting SANDBOX requires."""
    hide_memory()
    if HOUSEKEEPING in sender.app.amqp.queues.consume_from:
        return  # it reads no documents
    found = adapters.walls()
    log.info("sandbox", walls=", ".join(found.standing))
    for sentence in found.sentences():
        log.warning("sandbox_wall_missing", advice=sentence)
    essential = found.sentences(essential_only=True)
    if essential and settings.SANDBOX == "required":
        raise SystemExit("\n".join((*essential, "SANDBOX=best-effort reads documents nevertheless.")))


@worker_ready.connect
def _enqueue_what_was_left(**_: object) -> None:
    """Documents of a worker that died go before what is new, also here, where perhaps they were."""
    try:
        recovery.enqueue_left_open()
    except DatabaseError:
        pass  # the sweep looks again
    finally:
        connections.close_all()  # children are forked from this process

"""What a worker does before it takes its first message."""

from celery.signals import worker_init, worker_ready
from django.db import DatabaseError, connections

from docmill.documents import recovery
from docmill.documents.vector_index import verify_index_name
from docmill.pipeline.errors import PermanentError


@worker_init.connect
def _refuse_a_foreign_index(**_: object) -> None:
    """A worker whose settings name another index than the one in use stops here, with the sentence that says what to
    do. Nothing is asked over the network: the children must not share connections."""
    try:
        verify_index_name()
    except PermanentError as error:
        raise SystemExit(error.message) from error  # Celery goes on after any other exception


@worker_ready.connect
def _enqueue_what_was_left(**_: object) -> None:
    """Documents of a worker that died go before what is new, also here, where perhaps they were."""
    try:
        recovery.enqueue_left_open()
    except DatabaseError:
        pass  # the sweep looks again
    finally:
        connections.close_all()  # children are forked from this process

"""The Celery application. Its messages are rings of a bell; PostgreSQL decides who works on what."""

import os

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready

from docmill.config.watchdog import Watchdog

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")

app = Celery("docmill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(Watchdog)


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery leaves the loggers alone when this signal has a receiver."""


@worker_init.connect
def _watch_children(**_: object) -> None:
    """A worker's parent says whose child died."""
    from docmill.api import lost_children

    lost_children.watch()


@worker_ready.connect
def _ring_for_what_was_left(**_: object) -> None:
    """Documents of a worker that died go before what is new, also here, where perhaps they were."""
    from django.db import DatabaseError, connections

    from docmill.api import sweeping

    try:
        sweeping.ring_for_left_open()
    except DatabaseError:
        pass  # the sweep looks again
    finally:
        connections.close_all()  # children are forked from this process


@worker_init.connect
def _refuse_a_foreign_index(**_: object) -> None:
    """A worker whose settings name another index than the one in use stops here, with the sentence that says what to
    do. Nothing is asked over the network: the children must not share connections."""
    from docmill.api.vector_index import verify_index_name
    from docmill.pipeline.errors import PermanentError

    try:
        verify_index_name()
    except PermanentError as error:
        raise SystemExit(error.message) from error  # Celery goes on after any other exception

"""The Celery application. Messages only make workers look at rows; PostgreSQL decides who works on what."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")

app = Celery("docmill", include=["docmill.api.tasks", "docmill.api.worker_start"])
app.config_from_object("docmill.worker.configuration")


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery takes over the loggers unless this signal has a receiver."""

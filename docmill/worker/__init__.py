"""How Celery is run: the application, its queues, and every departure from stock Celery with its reason."""

from docmill.worker.app import app as celery_app
from docmill.worker.child_deaths import watch_children
from docmill.worker.heartbeat import Heartbeat
from docmill.worker.watchdog import Watchdog

__all__ = ["celery_app"]

celery_app.steps["worker"].add(Watchdog)
celery_app.steps["consumer"].add(Heartbeat)
watch_children()

"""Celery's configuration, under Celery's own names, from docmill's settings."""

from django.conf import settings

from docmill.worker.beat import Every
from docmill.worker.queues import HOUSEKEEPING, NEW

broker_url = settings.BROKER_URL
result_backend = f"docmill.worker.results:Results+{settings.RESULTS_URL}"
result_extended = True
result_expires = 7 * 24 * 3600  # seconds
task_track_started = True
task_send_sent_event = True
worker_send_task_events = True
task_default_queue = NEW

# Early acknowledgement: recovery is the sweep's, from the row and the lock, so neither the visibility timeout nor a
# lost queue matters and no poison message can loop in the broker.
task_acks_late = False
# A message in a busy worker's hands would wait for that worker's long documents, and be lost with it.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True
worker_consumer = "docmill.worker.consumer:SteadyConsumer"
worker_concurrency = settings.WORKER_CONCURRENCY
worker_max_tasks_per_child = settings.WORKER_MAX_TASKS_PER_CHILD
worker_max_memory_per_child = settings.WORKER_MAX_MEMORY_PER_CHILD
worker_cancel_long_running_tasks_on_connection_loss = False
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# A broker that is down must not hold an upload: the row is written, the sweep enqueues it later.
task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
broker_transport_options = {
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "health_check_interval": 10,
    "visibility_timeout": settings.BROKER_VISIBILITY_SECONDS,
    "queue_order_strategy": "docmill.worker.queues:InOrder",
}
redis_socket_connect_timeout = 2
redis_socket_timeout = 10

beat_scheduler = "docmill.worker.beat:SteadyScheduler"
beat_max_loop_interval = settings.SWEEP_SECONDS
beat_schedule = {
    "sweep": {
        "task": "docmill.api.tasks.sweep",
        "schedule": Every(settings.SWEEP_SECONDS),
        "options": {"queue": HOUSEKEEPING, "expires": settings.SWEEP_SECONDS, "ignore_result": True},
    },
    "prune": {
        "task": "docmill.api.tasks.prune",
        "schedule": Every(settings.TIDY_SECONDS),
        "options": {"queue": HOUSEKEEPING, "expires": settings.TIDY_SECONDS, "ignore_result": True},
    },
}

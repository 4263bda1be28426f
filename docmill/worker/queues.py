"""The broker's queues, the order in which workers take from them, and the one way to put a message on one."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import redis
import structlog
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from docmill.worker.app import app

log = structlog.get_logger("docmill.queues")

ABANDONED = "abandoned"
"""Documents whose worker died: the place that this left free is theirs, before all others."""
BEGUN = "again"
"""Documents that were begun once: they do not wait behind what is new."""
NEW = "documents"
"""Documents that were not begun, and long ones that gave way to others."""
PAGES = "pages"
"""Pages of long scans, for whoever has nothing else to do."""
HOUSEKEEPING = "housekeeping"
"""The sweep and its like, for the one process that does no documents."""

DOCUMENT_QUEUES = (ABANDONED, BEGUN, NEW)
WORKER_QUEUES = (*DOCUMENT_QUEUES, PAGES)
"""What a worker reads, in the order in which it takes."""

PROCESS_DOCUMENT = "docmill.api.tasks.process_document"
READ_PAGES = "docmill.api.tasks.read_pages"
ENQUEUE_RETRY = "docmill.api.tasks.enqueue_retry"
FAIL_TIMED_OUT = "docmill.api.tasks.fail_timed_out"


class InOrder:
    """The order in which kombu asks a worker's queues: by our list. kombu keeps a channel's queues in a set, so that
    its own order, `priority`, is that of their hashes."""

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self.update(queues)

    def update(self, queues: Iterable[str]) -> None:
        """Take from these queues from now on."""
        places = {name: place for place, name in enumerate(WORKER_QUEUES)}
        self._queues = sorted(queues, key=lambda name: (places.get(name, len(places)), name))

    def consume(self, count: int) -> list[str]:
        """The queues to ask, first to last."""
        return self._queues[:count]

    def rotate(self, last_used: str) -> None:
        """Nothing: the order stays."""


def enqueue(
    task: str, arguments: Sequence[object], queue: str, *, task_id: str | None = None, at: datetime | None = None
) -> bool:
    """Send a message for a task, by its registered name; False when the broker is down: the sweep enqueues later.

    With `at` the message waits in the hands of the process that took it until then.
    """
    try:
        app.send_task(task, args=tuple(arguments), queue=queue, task_id=task_id, eta=at)
    except (BrokerError, RedisError) as error:
        log.warning("broker_unavailable", task=task, arguments=list(map(str, arguments)), error=str(error))
        return False
    return True


def messages_waiting(queues: Iterable[str]) -> int | None:
    """How many messages wait on these queues; None when the broker does not answer."""
    try:
        with redis.Redis.from_url(settings.BROKER_URL, socket_connect_timeout=2, socket_timeout=5) as broker:
            return sum(int(broker.llen(queue)) for queue in queues)
    except RedisError:
        return None

"""The broker's queues: rings for documents and pages. Workers take from them in the order of their names."""

from collections.abc import Iterable

import redis
from django.conf import settings

ABANDONED = "abandoned"
"""Documents whose worker died: the place that this left free is theirs, before all others."""
BEGUN = "again"
"""Documents that were begun once: they do not wait behind what is new."""
NEW = "documents"
"""Documents that were not begun, and long ones that gave way to others."""
PAGES = "pages"
"""Pages of long scans, for whoever has nothing else to do."""
DOCUMENTS = (ABANDONED, BEGUN, NEW)


def messages_waiting(queues: Iterable[str]) -> int | None:
    """How many messages wait on these queues; None when the broker does not answer."""
    try:
        with redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_connect_timeout=2, socket_timeout=5) as broker:
            return sum(int(broker.llen(queue)) for queue in queues)
    except redis.RedisError:
        return None

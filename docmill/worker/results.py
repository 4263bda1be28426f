"""Where tasks leave their results: Redis, as Celery does it, but for one thing."""

from typing import Any

from celery.backends.redis import RedisBackend


class Results(RedisBackend):
    """Celery's backend subscribes to the result of every task as it is sent, and never ends that. Here it is subscribed
    to when somebody waits for it, so that sending a message needs the broker alone, and costs no memory."""

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Nothing."""
